"""IR that joins Python and WebAssembly: entries, host calls, builtins, the ticker, and the layouts that they share.

May import `code`, `cpython` and `system`.
"""
