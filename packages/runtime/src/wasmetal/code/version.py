"""The version of this package, which compiled code is tied to."""

__version__ = "0.1.0"
