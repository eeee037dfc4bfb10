"""What instances have left of the work that they may do (`Config(fuel=True)`)."""

from __future__ import annotations

import operator

from wasm_core.errors import WasmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.store.instance_core import InstanceCore

_LIMIT: Final = 1 << 63


def _checked(core: InstanceCore | None) -> InstanceCore:
    if core is None or core.closed:
        raise WasmError("the instance is closed")
    if not core.code.config.fuel:
        raise WasmError("the work of this instance is not counted: its engine needs Config(fuel=True)")
    return core


def fuel_left(core: InstanceCore | None) -> int:
    """What is left.

    Raises:
        WasmError: It is not counted, or the instance is closed.
    """
    checked = _checked(core)
    word = checked.words[checked.code.layout.fuel // 8]
    # Code looks at it from time to time only, and may have gone below.
    return word if word < _LIMIT else 0


def set_fuel(core: InstanceCore | None, value: object) -> None:
    """Set what is left.

    Raises:
        WasmError: It is not counted, or the instance is closed.
        TypeError: The value is no int.
        OverflowError: It is out of range.
    """
    checked = _checked(core)
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"fuel is an int, not {type(value).__name__}")
    number = operator.index(value)  # type: ignore[arg-type]  # (just looked for)
    if not 0 <= number < _LIMIT:
        raise OverflowError("fuel is from 0 to 2**63 - 1")
    checked.words[checked.code.layout.fuel // 8] = number
