"""The command `wasmetal`, also as `python -m wasmetal`."""

import gc
import sys


def main() -> int:
    """Run the command with the arguments of the process; the exit code."""
    # Modules and what they make stay until the end. Looking through all of that for garbage, after every 700 new
    # objects and several times before the process ends, takes up to a fifth of a short program's time.
    gc.set_threshold(20_000)

    try:
        from wasmetal import cli

        code = cli.main()
    except KeyboardInterrupt:
        # Before commands are there, which have the same code.
        code = 130
    try:
        # (`signal` makes enumerations of it, which takes longer)
        import _signal  # type: ignore[import-not-found]

        gc.freeze()
        # What there was to do is done: no Ctrl-C can have a traceback any more.
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    except (KeyboardInterrupt, ValueError):  # (not the main thread)
        pass
    return code


if __name__ == "__main__":
    sys.exit(main())
