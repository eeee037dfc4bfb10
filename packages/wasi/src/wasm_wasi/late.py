"""Modules of this package that are imported in the middle of a program's call: most programs need few of them.

A signal handler or a trace function can come in the middle of such an import, and call the same function for a program
of its own. What it imports is half there then, and stays so until it returns.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

#: Names of modules that are known to be all there.
_whole: set[str] = set()


def whole(name: str) -> ModuleType:
    """A module of this package, all of it, imported if need be. After this its names can be imported too."""
    full_name = f"{__package__}.{name}"
    if name not in _whole:
        try:
            module = __import__(full_name, fromlist=["__name__"])
        except ImportError:  # out of another that is half there
            _complete()
            module = __import__(full_name, fromlist=["__name__"])
        if _is_half_there(module):
            _complete()
        else:
            _whole.add(name)
    return sys.modules[full_name]


def _is_half_there(module: ModuleType) -> bool:
    return getattr(module.__spec__, "_initializing", False)


def _complete() -> None:
    """Run the code of all modules whose import has begun, in place; the import will do so again from where it is.

    It defines functions, classes and constants, and whichever definition is used, it is the same.
    """
    # Those that others wait for have come later.
    for name, module in reversed(list(sys.modules.items())):
        if name.startswith(f"{__package__}.") and _is_half_there(module):
            assert module.__spec__ is not None and module.__spec__.loader is not None
            module.__spec__.loader.exec_module(module)
