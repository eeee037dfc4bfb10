"""Which version this is: of the package, and of what it must agree on with the compiler."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__version__ = "0.1.0"

#: The `wasm_ir.vmcontext.LAYOUT` that this runtime works with.
LAYOUT: Final = 6
