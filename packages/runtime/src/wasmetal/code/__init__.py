"""Machine code: the arena that it lies in, the stubs of a backend, numbers of types, and files and caches of code.

May import `system`.
"""
