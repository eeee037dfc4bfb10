"""What Windows gives a meaning of its own is known, wherever these tests run: names, links, error numbers."""

from __future__ import annotations

import errno
import struct

import pytest

from wasm_wasi.abi import ERRNO, FROM_HOST_ERRNO, FileType
from wasm_wasi.errors import WasiError
from wasm_wasi.host.windows import errors, reparse
from wasm_wasi.host.windows.names import is_device, system_name

#: Each with the reason why the system must not be asked for it.
SPECIAL = [
    *("C:", "c:", "C:file", "file:stream", "file::$DATA", "file:", ":", "a:b:c"),  # drives, streams of files
    *("a\\b", "..\\..", "\\", "\\\\server", "C:\\", "\\??\\C:", "/", "a/b"),  # other directories
    *("*", "?", "a*", "x?y", "<", ">", '"', "a|b"),  # patterns, and what stands for them in the kernel
    *("name.", "name ", "name. .", " .", "...", "....", ". .", ".. ", " "),  # ends that are taken off
    *("CON", "con", "Con.txt", "NUL", "nul.", "nul .x", "NUL.tar.gz", "PRN", "AUX", "COM1", "com9.x", "LPT1", "lpt0"),
    *("COM\u00b9", "lpt\u00b2.txt", "CONIN$", "conout$", "CLOCK$", "aux:x"),  # devices
    *("a\x01", "\x1f", "\n", "tab\t"),  # characters that no file system has
]
PLAIN = [
    *(
        "file",
        "FILE.TXT",
        ".hidden",
        "a.b.c",
        "with space",
        " leading",
        "gr\u00fc\u00dfe",
        "\U0001f600",
        "~",
        "PROGRA~1",
    ),
    *(
        "CONSOLE",
        "nul1",
        "COM10",
        "xCON",
        "con-1",
        "COM",
        "LPT",
        "auxiliary",
        "-",
        "[x]",
        "%2e%2e",
        "$MFT",
        "a;b",
        "a'b",
    ),
    *("x" * 255, "\u2215", "..\u2024", "\u00b9"),
]


@pytest.mark.parametrize("name", SPECIAL)
def test_names_with_a_meaning_are_refused(name: str) -> None:
    with pytest.raises(WasiError) as caught:
        system_name(name.encode())
    assert caught.value.errno == ERRNO["INVAL"]


@pytest.mark.parametrize("name", PLAIN)
def test_other_names_are_taken_as_they_are(name: str) -> None:
    assert system_name(name.encode()) == name


def test_the_directory_itself_has_no_name() -> None:
    assert system_name(b".") == ""


@pytest.mark.parametrize("name", ["x" * 256, "\U0001f600" * 128])
def test_names_that_are_too_long(name: str) -> None:
    with pytest.raises(WasiError) as caught:
        system_name(name.encode())
    assert caught.value.errno == ERRNO["NAMETOOLONG"]


@pytest.mark.parametrize("name", [b"\xff", b"a\xed\xa0\x80", b"..\xc0\xaf"])
def test_names_that_are_not_utf8(name: bytes) -> None:
    with pytest.raises(WasiError) as caught:
        system_name(name)
    assert caught.value.errno == ERRNO["INVAL"]


def test_devices() -> None:
    assert is_device("nul") and is_device("Com3.tar.gz") and not is_device("com") and not is_device("null")


def link(target: str, shown: str = "", relative: bool = True, tag: int = reparse.SYMBOLIC_LINK) -> bytes:
    """What the system gives for a symbolic link."""
    names = target.encode("utf-16-le") + shown.encode("utf-16-le")
    first, second = len(target.encode("utf-16-le")), len(shown.encode("utf-16-le"))
    return struct.pack("<IHHHHHHI", tag, 12 + len(names), 0, 0, first, first, second, relative) + names


@pytest.mark.parametrize(
    ("data", "target"),
    [
        (link("file"), b"file"),
        (link("..\\a\\b"), b"../a/b"),
        (link("gr\u00fc\u00dfe"), "gr\u00fc\u00dfe".encode()),
        # Relative to the drive: absolute, for who must not leave a directory.
        (link("\\windows"), b"/windows"),
        (link("\\??\\C:\\x", "C:\\x", relative=False), b"/C:/x"),
        (link("\\??\\C:\\x", relative=False), b"/??/C:/x"),
        (link("x", "x", relative=False), b"/x"),
    ],
)
def test_targets_of_links(data: bytes, target: bytes) -> None:
    assert reparse.link_target(data) == target


@pytest.mark.parametrize("data", [b"", b"\0" * 10, link("x", tag=0xA0000003)])
def test_what_is_no_link_has_no_target(data: bytes) -> None:
    with pytest.raises(OSError) as caught:
        reparse.link_target(data)
    assert caught.value.errno == errno.EINVAL


def test_kinds() -> None:
    directory, point = reparse.ATTRIBUTE_DIRECTORY, reparse.ATTRIBUTE
    assert reparse.kind_of(0x20, 0) == FileType.REGULAR_FILE
    assert reparse.kind_of(directory, 0) == FileType.DIRECTORY
    assert reparse.kind_of(directory | point, reparse.SYMBOLIC_LINK) == FileType.SYMBOLIC_LINK
    # A junction leads anywhere, and nobody knows where.
    assert reparse.kind_of(directory | point, 0xA0000003) == FileType.UNKNOWN
    # What is in the cloud, or compressed, is itself.
    assert reparse.kind_of(directory | point, 0x9000001A) == FileType.DIRECTORY
    # The tag means nothing where there is no such point: the place is used for something else.
    assert reparse.kind_of(0x20, reparse.SYMBOLIC_LINK) == FileType.REGULAR_FILE


def test_every_error_has_a_number_in_wasi() -> None:
    for number in (*errors.BY_ERROR.values(), *errors.BY_STATUS.values()):
        assert number in FROM_HOST_ERRNO
    assert isinstance(errors.of_error(2), FileNotFoundError)
    assert isinstance(errors.of_error(5), PermissionError)
    assert errors.of_error(987654).errno == errno.EIO
