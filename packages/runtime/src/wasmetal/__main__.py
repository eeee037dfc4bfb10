"""The command `wasmetal`, also as `python -m wasmetal`."""

import gc
import sys


def main() -> int:
    """Run the command with the arguments of the process; the exit code."""
    # Modules and what they make stay until the end. Looking through all of that for garbage, after every 700 new
    # objects and several times before the process ends, takes up to a fifth of a short program's time.
    gc.set_threshold(20_000)

    from wasmetal import cli

    code = cli.main()
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())
