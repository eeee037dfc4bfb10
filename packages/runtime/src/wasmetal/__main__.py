"""The command `wasmetal`, also as `python -m wasmetal`."""

import sys

from wasmetal.cli import main

if __name__ == "__main__":
    sys.exit(main())
