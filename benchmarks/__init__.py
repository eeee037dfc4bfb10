"""Measures wasmetal beside its peers: `python -m benchmarks --help`, or `nox -s bench`."""
