"""What depends on the ABI of CPython: layouts of objects, native callables, the stack that C code runs on.

May import `system`.
"""
