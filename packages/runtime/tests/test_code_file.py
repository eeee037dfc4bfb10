"""Files of code: what is written is read, and nothing else is."""

from __future__ import annotations

import errno
import os
from array import array
from pathlib import Path

import pytest
from systems import posix

from wasm_ir.backend import CompiledCode, Relocation
from wasmetal.code import code_file
from wasmetal.code.code_file import CodeFile, decode_code, encode_code, encode_file, open_file

IDENTITY = bytes(range(32))
BLOBS = {3: b"three", 1 << 40: b"large key" * 50, 7: b""}


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "file", encode_file(IDENTITY, 3, BLOBS))
    file = open_file(path, IDENTITY)
    assert file is not None and file.flags == 3 and len(file) == 3 and file.is_small
    assert {key: file.get(key) for key in file.keys()} == BLOBS  # noqa: SIM118
    assert file.get(4) is None and 4 not in file and 3 in file


def test_empty(tmp_path: Path) -> None:
    file = open_file(write(tmp_path / "file", encode_file(IDENTITY, 0, {})), IDENTITY)
    assert file is not None and len(file) == 0


def test_large_files_are_read_in_pieces(tmp_path: Path) -> None:
    blobs = {number: bytes([number & 255]) * 60 for number in range(20_000)}
    path = write(tmp_path / "file", encode_file(IDENTITY, 0, blobs))
    file = open_file(path, IDENTITY)
    assert file is not None and not file.is_small
    os.unlink(path)
    assert file.get(19_999) == blobs[19_999] and file.get(0) == blobs[0]


def test_merging() -> None:
    content = encode_file(IDENTITY, 1, {1: b"old", 2: b"kept"})
    old = CodeFile(content, IDENTITY, len(content))
    merged = encode_file(IDENTITY, 2, {1: b"new", 3: b"more"}, old)
    file = CodeFile(merged, IDENTITY, len(merged))
    assert file.flags == 3
    assert {key: file.get(key) for key in (1, 2, 3)} == {1: b"new", 2: b"kept", 3: b"more"}


def test_every_flipped_bit_is_noticed() -> None:
    content = encode_file(IDENTITY, 3, {1: b"some code", 2: b"other code"})
    for position in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            try:
                file = CodeFile(bytes(damaged), IDENTITY, len(damaged))
            except ValueError:
                continue
            # The index is good: one blob is damaged, and only that is missing.
            assert {file.get(1), file.get(2)} in ({None, b"other code"}, {b"some code", None})


def test_every_truncation_is_noticed() -> None:
    content = encode_file(IDENTITY, 0, {1: b"some code", 2: b"other code"})
    for size in range(len(content)):
        with pytest.raises(ValueError):
            CodeFile(content[:size], IDENTITY, size)


@posix
def test_a_large_file_that_is_truncated_later(tmp_path: Path) -> None:
    path = write(tmp_path / "file", encode_file(IDENTITY, 0, {1: bytes(2 << 20), 2: b"behind"}))
    file = open_file(path, IDENTITY)
    assert file is not None
    os.truncate(path, 100_000)
    assert file.get(2) is None and file.get(1) is None


def test_other_identity(tmp_path: Path) -> None:
    path = write(tmp_path / "file", encode_file(IDENTITY, 0, BLOBS))
    assert open_file(path, bytes(32)) is None


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_files_that_others_can_write(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "file", encode_file(IDENTITY, 0, BLOBS))
    os.chmod(path, mode)
    assert open_file(path, IDENTITY) is None


@posix
def test_files_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "file", encode_file(IDENTITY, 0, BLOBS))
    real = os.geteuid()
    monkeypatch.setattr(code_file.os, "geteuid", lambda: real + 1)
    assert open_file(path, IDENTITY) is None


@posix
def test_not_files(tmp_path: Path) -> None:
    path = write(tmp_path / "file", encode_file(IDENTITY, 0, BLOBS))
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name in ("link", "fifo", "", "missing"):
        assert open_file(str(tmp_path / name), IDENTITY) is None


def test_use_is_marked(tmp_path: Path) -> None:
    path = write(tmp_path / "file", encode_file(IDENTITY, 0, BLOBS))
    os.utime(path, (1, 1))
    open_file(path, IDENTITY)
    assert os.stat(path).st_mtime == 1
    open_file(path, IDENTITY, mark_use=True)
    assert os.stat(path).st_mtime > 1


def test_a_file_system_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "file", encode_file(IDENTITY, 0, BLOBS))

    def refuse(fd: int) -> None:
        raise OSError(errno.EROFS, "read-only file system")

    monkeypatch.setattr(code_file.os, "utime", refuse)
    assert open_file(path, IDENTITY, mark_use=True) is not None


def test_code() -> None:
    made = CompiledCode(
        b"\x90\xc3x", 2, [Relocation(4, 1, 70_000), Relocation(9, 2, 0)], array("I", [5, 9]), array("I", [77, 0]), 48
    )
    # A new field must be kept too.
    assert set(CompiledCode.__slots__) == {"code", "entry", "frame_size", "pcs", "relocations", "wasm_offsets"}
    again, names = decode_code(encode_code(made, ["api PyLong", "None"]))
    assert (again.code, again.entry, again.frame_size) == (made.code, 2, 48)
    assert (again.pcs, again.wasm_offsets) == (made.pcs, made.wasm_offsets)
    assert [(r.offset, r.kind, r.target) for r in again.relocations] == [(4, 1, 70_000), (9, 2, 0)]
    assert names == ["api PyLong", "None"]
    assert decode_code(encode_code(made))[1] == []
