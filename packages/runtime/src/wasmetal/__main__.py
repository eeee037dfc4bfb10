"""The command `wasmetal`, also as `python -m wasmetal`."""

import gc
import sys

from wasmetal import cli


def main() -> int:
    """Run the command with the arguments of the process; the exit code."""
    code = cli.main()
    # The process ends, so nothing is gained by looking for garbage among all that there is, which the interpreter does
    # several times.
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())
