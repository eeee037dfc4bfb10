"""The text format, where the package that reads it (wasm-text) is installed."""

from __future__ import annotations

from wasm_core.errors import WasmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_text import SourceMap

#: What to do without the package.
ADVICE: Final = (
    "the text format needs the package wasm-text: pip install wasm-text (or assemble the module first, or pass a "
    "pathlib.Path if this is a file name)"
)


def assemble(text: str | bytes, file: str | None = None) -> tuple[bytes, SourceMap | None]:
    """The binary of a module in the text format, and which place in the text each of its instructions comes from.

    Raises:
        MalformedError: The text is no module (a `wasm_text.TextError`).
        WasmError: The package is not installed.
    """
    try:
        from wasm_text import assemble_with_map
    except ModuleNotFoundError as error:
        if error.name != "wasm_text":
            raise
        raise WasmError(ADVICE) from None
    return assemble_with_map(text, file=file)
