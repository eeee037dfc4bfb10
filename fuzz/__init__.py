"""Fuzzers: damaged modules, and random programs compared with another engine. `python -m fuzz --help`."""
