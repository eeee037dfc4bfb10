"""What runs: instances, the stores that they are linked in, references, lifetimes, and what code asks Python to do.

May import `glue`, `code`, `cpython` and `system`; the objects that users hold are made of what is here.
"""
