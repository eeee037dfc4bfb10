"""The glue that all engines with the same code share."""

from __future__ import annotations

from weakref import WeakValueDictionary

from wasm_core.errors import WasmError
from wasm_ir import vmcontext
from wasmetal.code.cache import CodeCache
from wasmetal.code.version import LAYOUT, __version__
from wasmetal.glue.glue import Glue
from wasmetal.registry.selection import select
from wasmetal.store.callbacks import Callbacks
from wasmetal.system.hold import Turns, serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_ir.backend import Backend

#: Glue is the same for all engines whose backends make the same code.
_glues: WeakValueDictionary[tuple[type[Backend], tuple[str, ...]], Glue] = WeakValueDictionary()
_glues_turns = Turns()


@serialized
def glue_for(backend: Backend, cache: CodeCache | None) -> Glue:
    """The glue for a backend; `cache` is where its thunks are kept if they are not kept anywhere yet.

    Raises:
        WasmError: The installed packages are of versions that do not fit each other.
    """
    layout = getattr(backend, "layout", None)
    if not layout == vmcontext.LAYOUT == LAYOUT:
        raise WasmError(
            f"the installed packages do not fit each other: wasmetal {__version__} works with layout {LAYOUT}, wasm-ir "
            f"has {vmcontext.LAYOUT}, and the backend {backend.name!r} was made for {layout}: install one "
            "version of all"
        )
    with _glues_turns.wait():
        key = (type(backend), backend.cpu_features)
        found = _glues.get(key)
        if found is None:
            found = _glues.setdefault(key, Glue(backend, Callbacks(), cache))
        else:
            found.use_cache(cache)
        return found


@serialized
def any_glue() -> Glue:
    """The glue for a function of no engine in particular: what there is, or that for this machine."""
    found = next(iter(_glues.values()), None)
    return glue_for(select("auto")(), None) if found is None else found
