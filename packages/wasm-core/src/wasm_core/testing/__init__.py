"""What tests, fuzzers and benchmarks write modules with: `binary` has the parts of the format, `builder` whole modules.

And what tests wait with: `patience`.

Nothing imports this package at run time, and it needs nothing but Python.
"""
