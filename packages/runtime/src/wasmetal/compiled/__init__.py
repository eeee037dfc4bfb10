"""What becomes of one module: its code, the template of its instances, its form as bytes, and who listens to its calls.

May import `glue`, `code`, `cpython` and `system`.
"""
