"""What is said of missing imports: which, what may have been meant, and how modules of known tools get theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from wasm_core.module import Import
from wasm_core.quoting import quoted, similar
from wasmetal.store.linking import describe, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Missing imports that are named, and of these the first that others are compared with.
_MAX_NAMED: Final = 20
_MAX_COMPARED: Final = 5
#: Missing imports that are looked at for where the module comes from.
_MAX_SEEN: Final = 1_000
#: Names that an import is compared with.
_MAX_NAMES: Final = 2_000

_WASI: Final = "wasi_snapshot_preview1"
_BINDGEN_MODULES: Final = ("__wbindgen_placeholder__", "__wbindgen_externref_xform__", "wbg")
_BINDGEN_NAMES: Final = ("__wbindgen_", "__wbg_")
_EMSCRIPTEN_NAMES: Final = (
    *("emscripten_", "_emscripten_", "__syscall_", "__cxa_", "invoke_", "_embind_", "_emval_", "_localtime_js"),
    *("_abort_js", "_tzset_js", "__emscripten_"),
)
_JAVASCRIPT: Final = (".js", ".mjs", "gojs")


def _is_bindgen(entry: Import) -> bool:
    return entry.module in _BINDGEN_MODULES or entry.module.endswith("_bg.js") or entry.name.startswith(_BINDGEN_NAMES)


#: Which imports tell where a module comes from -> what to do.
_HINTS: Final[tuple[tuple[Callable[[Import], bool], str], ...]] = (
    (
        lambda entry: entry.module == _WASI,
        "this program uses WASI: give it wasm_wasi.Wasi(...).imports (pip install wasm-wasi), or run it with "
        "wasm_wasi.Wasi(...).run(module)",
    ),
    (
        lambda entry: entry.module.startswith("wasi") and entry.module != _WASI,
        f"this program uses a version of WASI that is not supported: build it for {_WASI} (wasm32-wasip1)",
    ),
    (
        _is_bindgen,
        "wasm-bindgen has made this module for JavaScript, which is to provide these: build it without wasm-bindgen, "
        "for wasm32-unknown-unknown or wasm32-wasip1, with plain extern functions",
    ),
    (
        lambda entry: entry.name.startswith(_EMSCRIPTEN_NAMES),
        "Emscripten has made this module for its JavaScript, which is to provide these: link it with "
        "-sSTANDALONE_WASM -sPURE_WASI and without -sMAIN_MODULE, or give these functions yourself",
    ),
    (
        lambda entry: entry.module.endswith(_JAVASCRIPT),
        "this module was made for JavaScript, which is to provide these",
    ),
)


def _names(space: Mapping[str, object] | None) -> list[str]:
    """Names in a mapping, whatever kind of mapping that is."""
    with suppress(Exception):  # what matters is what is missing
        return [name for name in islice(space or (), _MAX_NAMES) if isinstance(name, str)]
    return []


def _meant(entry: Import, imports: Mapping[str, object], spaces: Mapping[str, Mapping[str, object]]) -> str:
    """What may have been meant instead of an import that is there."""
    space = spaces.get(entry.module)
    if space is not None:
        return similar(entry.name, _names(space))
    given = _names(imports)
    meant = similar(entry.module, given)
    return f"; nothing is given for module {quoted(entry.module)}{meant}" if given else ""


def _hints(missing: Sequence[Import], spaces: Mapping[str, Mapping[str, object]]) -> list[str]:
    """What to do about modules that certain tools have made; nothing is said twice."""
    seen = [entry for entry in missing[:_MAX_SEEN] if entry.module != _WASI or entry.module not in spaces]
    found = dict.fromkeys(hint for entry in seen for applies, hint in _HINTS if applies(entry))
    return list(found)[:2]


def message(
    wanted: Sequence[Import],
    missing: Sequence[Import],
    imports: Mapping[str, object],
    spaces: Mapping[str, Mapping[str, object]],
) -> str:
    """The message of the LinkError, of bounded length.

    Args:
        wanted: All that the module imports.
        missing: What is not there of these.
        imports: What was given, by module name.
        spaces: What there was for each module name that something was given for.
    """
    parts = []
    for number, entry in enumerate(missing[:_MAX_NAMED]):
        meant = _meant(entry, imports, spaces) if number < _MAX_COMPARED else ""
        parts.append(f"{name_of(entry)}, {describe(entry.type)}{meant}")
    if len(missing) > _MAX_NAMED:
        parts.append(f"and {len(missing) - _MAX_NAMED} more")
    hints = "".join([f" ({hint})" for hint in _hints(missing, spaces)])
    count = "" if len(missing) == 1 else f" ({len(missing)} of {len(wanted)} are missing)"
    return f"unknown import{count}: {'; '.join(parts)}{hints}"
