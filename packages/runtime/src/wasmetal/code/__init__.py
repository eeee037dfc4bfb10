"""Machine code: the arena that it lies in, compiled modules, and files and caches of compiled code.

May import `system`.
"""
