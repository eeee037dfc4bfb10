"""What is known about the processor."""

from __future__ import annotations

import platform

import pytest

from wasm_backend_arm64 import Arm64Backend, cpu, encodings, float_encodings, vector_encodings
from wasm_backend_arm64.backend import USED_FEATURES

_HERE = platform.machine().lower() in ("aarch64", "arm64")


def test_features_are_bits() -> None:
    assert cpu.decode_features(0) == ()
    assert cpu.decode_features(0b11) == ("asimd", "fp")
    assert cpu.decode_features(1 << 8 | 1 << 7 | 1 << 60) == ("atomics", "crc32")
    assert cpu.decode_features((1 << 64) - 1) == cpu.FEATURE_NAMES


def test_support(monkeypatch: pytest.MonkeyPatch) -> None:
    support = Arm64Backend.host_support()
    assert support.supported == _HERE
    assert ("asimd" in support.reason) if _HERE else (platform.machine() in support.reason)
    monkeypatch.setattr(cpu, "machine", lambda: "riscv64")
    refused = Arm64Backend.host_support()
    assert not refused.supported
    assert "riscv64" in refused.reason


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "machine", lambda: "arm64")
    monkeypatch.setattr("sys.platform", "plan9")
    support = Arm64Backend.host_support()
    assert not support.supported
    assert "plan9" in support.reason


def test_macos_tells_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "machine", lambda: "arm64")
    monkeypatch.setattr("sys.platform", "darwin")
    there = {"hw.optional.arm.FEAT_DotProd", "hw.optional.armv8_crc32"}
    monkeypatch.setattr(cpu, "_sysctl", lambda name: int(name in there))
    cpu.features.cache_clear()
    try:
        assert cpu.features() == ("asimd", "asimddp", "crc32", "fp")
        assert Arm64Backend.host_support().supported
    finally:
        cpu.features.cache_clear()


def test_every_feature_of_a_row_can_be_found() -> None:
    """A row whose feature no processor reports would never be used."""
    rows = [row for table in (encodings, float_encodings, vector_encodings) for row in vars(table).values()]
    features = {row.feature for row in rows if isinstance(row, encodings.Encoding)}
    assert features == {"", "asimddp"}
    assert features - {""} | USED_FEATURES <= set(cpu.FEATURE_NAMES)


def test_code_depends_on_features_that_are_used_alone() -> None:
    assert Arm64Backend(()).cpu_features == Arm64Backend(("atomics",)).cpu_features == ("asimd", "fp")
    assert Arm64Backend(("asimddp", "aes")).cpu_features == ("asimd", "asimddp", "fp")
