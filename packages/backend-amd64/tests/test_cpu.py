"""Feature detection: decoding of CPUID answers, agreement with the kernel, other architectures."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import cpu
from wasm_backend_amd64 import encodings as enc
from wasm_backend_amd64 import float_encodings as scalar
from wasm_backend_amd64 import vector_encodings as vec
from wasm_backend_amd64.backend import USED_FEATURES, Amd64Backend

CPUINFO = Path("/proc/cpuinfo")
on_linux_amd64 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64") or not CPUINFO.exists(), reason="needs Linux on x86-64"
)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    cpu.features.cache_clear()
    yield
    cpu.features.cache_clear()


def fake_cpuid(answers: dict[int, tuple[int, int, int, int]]) -> cpu.Cpuid:
    return lambda leaf, subleaf: answers[leaf]


ALL_ONES = 0xFFFF_FFFF


@pytest.mark.parametrize("windows", [False, True])
def test_code_is_what_the_assembler_makes(windows: bool) -> None:
    code = bytearray()
    asm.r(code, enc.PUSH_R, asm.RBX)
    if windows:
        asm.nop(code, 3)
        asm.rr(code, enc.MOV_RR32, asm.RAX, asm.RCX)
        asm.rr(code, enc.MOV_RR32, asm.RCX, asm.RDX)
    else:
        asm.rr(code, enc.MOV_RR64, asm.R8, asm.RDX)
        asm.rr(code, enc.MOV_RR32, asm.RAX, asm.RDI)
        asm.rr(code, enc.MOV_RR32, asm.RCX, asm.RSI)
    code += enc.CPUID
    for number, register in enumerate((asm.RAX, asm.RBX, asm.RCX, asm.RDX)):
        asm.rm(code, enc.MOV_MR32, register, asm.R8, -1, 0, 4 * number)
    asm.r(code, enc.POP_R, asm.RBX)
    code += enc.RET
    assert len(code) == cpu._XGETBV
    asm.rr(code, enc.XOR_RR32, asm.RCX, asm.RCX)
    code += enc.XGETBV
    code += enc.RET
    assert bytes(code) == (cpu._WINDOWS_CODE if windows else cpu._CODE)


def test_everything() -> None:
    full = (ALL_ONES,) * 4
    answers = {
        0: (7, 0, 0, 0),
        1: full,
        7: full,
        0x8000_0000: (0x8000_0008, 0, 0, 0),
        0x8000_0001: full,
    }
    assert cpu.decode_features(fake_cpuid(answers), lambda: 0xE7) == cpu.FEATURE_NAMES
    # The operating system does not save zmm: no AVX-512. Nor ymm: no AVX, and what builds on it, but BMI works.
    without_avx512 = tuple(name for name in cpu.FEATURE_NAMES if not name.startswith("avx512"))
    assert cpu.decode_features(fake_cpuid(answers), lambda: 7) == without_avx512
    without_avx = ("bmi1", "bmi2", "lzcnt", "popcnt", "sse3", "sse4_1", "sse4_2", "ssse3")
    assert cpu.decode_features(fake_cpuid(answers), lambda: 3) == without_avx


@pytest.mark.parametrize(
    ("leaf", "register", "bit", "name"),
    [
        (1, 2, 0, "sse3"),
        (1, 2, 9, "ssse3"),
        (1, 2, 19, "sse4_1"),
        (1, 2, 20, "sse4_2"),
        (1, 2, 23, "popcnt"),
        (0x8000_0001, 2, 5, "lzcnt"),
        (7, 1, 3, "bmi1"),
        (7, 1, 8, "bmi2"),
        (1, 2, 28, "avx"),
        (7, 1, 5, "avx2"),
        (1, 2, 12, "fma"),
        (7, 1, 16, "avx512f"),
        (7, 1, 17, "avx512dq"),
        (7, 1, 30, "avx512bw"),
        (7, 1, 31, "avx512vl"),
        (7, 2, 1, "avx512vbmi"),
    ],
)
def test_single_features(leaf: int, register: int, bit: int, name: str) -> None:
    answers = {
        0: [7, 0, 0, 0],
        1: [0, 0, 1 << 27, 0],
        7: [0] * 4,
        0x8000_0000: [0x8000_0001, 0, 0, 0],
        0x8000_0001: [0] * 4,
    }
    answers[leaf][register] |= 1 << bit
    cpuid = fake_cpuid({key: (a, b, c, d) for key, (a, b, c, d) in answers.items()})
    assert cpu.decode_features(cpuid, lambda: 0xE6) == (name,)


def test_leaves_that_are_not_there() -> None:
    """Neither leaf 7 nor extended leaves nor xgetbv is asked for on a processor without them."""
    answers = {0: (1, 0, 0, 0), 1: (0, 0, 1 << 23, 0), 0x8000_0000: (0, 0, 0, 0)}

    def xgetbv() -> int:
        raise AssertionError("xgetbv would fault")

    assert cpu.decode_features(fake_cpuid(answers), xgetbv) == ("popcnt",)


@on_linux_amd64
def test_agrees_with_the_kernel() -> None:
    """The kernel lists at most what the processor says: it can switch features off."""
    by_kernel = cpu.features_by_cpuinfo(CPUINFO.read_text())
    assert set(by_kernel) <= set(cpu.features_by_cpuid())
    assert cpu.features() == cpu.features_by_cpuid()
    assert cpu.host_support().supported


def test_cpuinfo_text() -> None:
    text = "processor\t: 0\nflags\t\t: fpu sse4_1 abm bmi1\nbugs\t\t: avx2\n\nprocessor\t: 1\nflags\t\t: fpu\n"
    assert cpu.features_by_cpuinfo(text) == ("bmi1", "lzcnt", "sse4_1")
    assert cpu.features_by_cpuinfo("Features : fp asimd\n") == ()


def test_code_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where executable memory is refused the kernel's list is used."""

    def refuse() -> tuple[str, ...]:
        raise OSError("refused")

    monkeypatch.setattr(cpu, "machine", lambda: "x86_64")
    monkeypatch.setattr(cpu, "features_by_cpuid", refuse)
    expected = cpu.features_by_cpuinfo(CPUINFO.read_text()) if CPUINFO.exists() else ()
    assert cpu.features() == expected


def test_processors_below_the_floor_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code would end in an illegal instruction there."""
    monkeypatch.setattr(cpu, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(cpu, "features", lambda: ("sse3", "sse4_1", "ssse3"))
    support = Amd64Backend.host_support()
    assert not support.supported
    assert support.reason == "the processor lacks popcnt, sse4_2: code is made for x86-64-v2 and later"


def test_every_feature_of_a_row_can_be_found() -> None:
    """A row whose feature no processor reports would never be used."""
    rows = [row for table in (enc, scalar, vec) for row in vars(table).values() if isinstance(row, enc.Encoding)]
    assert {row.feature for row in rows} - {""} <= set(cpu.FEATURE_NAMES)
    assert {enc.vex(vec.PADDB).feature} | USED_FEATURES <= set(cpu.FEATURE_NAMES)


@pytest.mark.parametrize("machine", ["aarch64", "riscv64", "i686", ""])
def test_other_architectures(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    monkeypatch.setattr(cpu, "machine", lambda: machine)
    support = cpu.host_support()
    assert not support.supported
    assert "x86-64" in support.reason and (machine or "unknown") in support.reason
    assert cpu.features() == ()


def test_other_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "plan9")
    support = cpu.host_support()
    assert not support.supported and "plan9" in support.reason
