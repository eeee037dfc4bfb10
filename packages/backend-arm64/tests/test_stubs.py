"""The stubs: where they are, and what cache maintenance does. (The runtime's tests execute them.)"""

from __future__ import annotations

import sys

import pytest

from wasm_backend_arm64 import Arm64Backend
from wasm_backend_arm64.signals import signal_layout
from wasm_backend_arm64.stubs import build_stubs
from wasm_core.errors import CompileError
from wasm_ir.backend import StubEnvironment

ENVIRONMENT = StubEnvironment(0x7000_0000_0000, 1 << 30, {11: 0x1234_5678_9ABC, 7: 1}, 0x7FFF_1234_5678)


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend knows no signal frames of Windows: there, stubs are made for Linux."""
    if sys.platform == "win32":
        monkeypatch.setattr(sys, "platform", "linux")


def test_entries_are_instructions() -> None:
    """Every entry is an instruction's start, aligned; behind the code are the addresses of the environment."""
    stubs = build_stubs(ENVIRONMENT)
    entries = [stubs.trap_exit, stubs.signal_handler, stubs.lazy_funcref, stubs.lazy_slot, stubs.synchronize]
    assert len(set(entries)) == 5
    assert all(entry % 16 == 0 for entry in entries)
    assert stubs.addresses is not None
    words = [int.from_bytes(stubs.code[at : at + 8], "little") for at in stubs.addresses]
    assert sorted(words) == sorted((0x7000_0000_0000, 0x1234_5678_9ABC, 0x7FFF_1234_5678))
    assert stubs.poll_exit < min(stubs.addresses)
    lines = Arm64Backend().disassemble(stubs.code[: min(stubs.addresses)], 0)
    if lines is None:
        pytest.skip("capstone is not installed")
    assert not [text for _, _, text in lines if text.startswith(".byte")]


def test_instruction_cache_maintenance() -> None:
    """The bytes of the sequence in the manual: clean data lines, wait, invalidate instruction lines, wait, isb."""
    stubs = build_stubs(ENVIRONMENT)
    code = stubs.code[stubs.synchronize :]
    words = [int.from_bytes(code[at : at + 4], "little") for at in range(0, 4 * 23, 4)]
    assert words[0] == 0xD53B_0023  # mrs x3, ctr_el0
    dc_cvau_x5, dsb_ish, ic_ivau_x5, isb, ret = 0xD50B_7B25, 0xD503_3B9F, 0xD50B_7525, 0xD503_3FDF, 0xD65F_03C0
    order = [word for word in words if word in (dc_cvau_x5, dsb_ish, ic_ivau_x5, isb, ret)]
    assert order == [dc_cvau_x5, dsb_ish, ic_ivau_x5, dsb_ish, isb, ret]
    # The fields of CTR_EL0: DminLine in bits 19:16 (ubfx x5, x3, #16, #4), IminLine in bits 3:0.
    assert words[1] == 0xD350_4C65
    assert 0xD340_0C65 in words
    lines = Arm64Backend().disassemble(code[: 4 * 23], 0)
    if lines is None:
        pytest.skip("capstone is not installed")
    texts = [text for _, _, text in lines]
    assert texts[1:10] == [
        "ubfx x5, x3, #0x10, #4",
        "mov w4, #4",
        "lsl x4, x4, x5",
        "sub x5, x4, #1",
        "bic x5, x0, x5",
        "dc cvau, x5",
        "add x5, x5, x4",
        "cmp x5, x1",
        "b.lo #0x18",
    ]


def test_signal_frames_of_linux() -> None:
    """Offsets in ucontext_t (asm/ucontext.h, asm/sigcontext.h): the mask's 128 bytes, 16-aligned sigcontext."""
    layout = signal_layout()
    assert (layout.context_x16, layout.context_pc) == (176 + 8 + 16 * 8, 176 + 8 + 31 * 8 + 8)


def test_unknown_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(CompileError, match="plan9"):
        signal_layout()
