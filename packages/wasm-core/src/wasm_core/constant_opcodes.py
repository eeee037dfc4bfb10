"""Opcodes of instructions that constant expressions may have, and of their end; `opcodes` has these too."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

END: Final = 0x0B
GLOBAL_GET: Final = 0x23
I32_CONST: Final = 0x41
I64_CONST: Final = 0x42
F32_CONST: Final = 0x43
F64_CONST: Final = 0x44
I32_ADD: Final = 0x6A
I32_SUB: Final = 0x6B
I32_MUL: Final = 0x6C
I64_ADD: Final = 0x7C
I64_SUB: Final = 0x7D
I64_MUL: Final = 0x7E
REF_NULL: Final = 0xD0
REF_FUNC: Final = 0xD2
V128_CONST: Final = 0xFD00C
