"""What runs: instances, the stores that they are linked in, references, lifetimes, and what code asks Python to do.

May import `registry`, `compiled`, `glue`, `code`, `cpython` and `system`; what users hold is made of what is here.
"""
