"""A guest that has used up descriptors or memory: what its code does next ends as it would otherwise."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="this system does not limit processes")

#: Opens the preopened directory, or grows memory, until that fails; then does what it is told.
_PROGRAM = r"""
import os, resource, sys, tempfile, traceback
import wasmetal
from wasm_wasi import Wasi
from wasmetal import Module

what, shortage = sys.argv[1:]


def u(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def sized(content):
    return u(len(content)) + content


def vec(items):
    return u(len(items)) + b"".join(items)


def i32(n):
    return b"\x41" + (bytes([n & 127]) if -64 <= n < 64 else bytes([n & 127 | 128]) + i32(n >> 7)[1:])


def i64(n):
    return b"\x42" + i32(n)[1:]


WASI = "wasi_snapshot_preview1"
types = [
    b"\x60" + vec([]) + vec([]),
    b"\x60" + vec([bytes([t]) for t in b"\x7f\x7f\x7f\x7f\x7f\x7e\x7e\x7f\x7f"]) + vec([b"\x7f"]),
    b"\x60" + vec([b"\x7f"] * 4) + vec([b"\x7f"]),
    b"\x60" + vec([b"\x7f"]) + vec([]),
]
imports = [(WASI, "path_open", 1), (WASI, "poll_oneoff", 2), (WASI, "proc_exit", 3), ("env", "h", 0)]
OPEN = i32(3) + i32(0) + i32(1000) + i32(1) + i32(0) + i64(2) + i64(0) + i32(0) + i32(64) + b"\x10\x00"
GROW = i32(64) + b"\x40\x00" + i32(-1) + b"\x46"
use_up = {"descriptors": OPEN, "memory": GROW, "both": GROW}[shortage]
END = {
    "trap": b"\x00",
    "div": i32(1) + i32(0) + b"\x6d\x1a",
    "oob": i32(-1) + b"\x28\x02\x00\x1a",
    "host": b"\x10\x03",
    "call": b"\x10\x05",  # compiled only now
    "table": i32(3) + b"\x11\x00\x00",
    "poll": i32(0) + i32(64) + i32(1) + i32(128) + b"\x10\x01\x1a",
    "exit": i32(3) + b"\x10\x02",
    "deep": b"\x10\x04",
    "grow": i32(1) + b"\x40\x00\x1a",
}[what]
loop = lambda code: b"\x02\x40\x03\x40" + code + b"\x0d\x01\x0c\x00\x0b\x0b"
start = loop(use_up) + (loop(OPEN) if shortage == "both" else b"") + END
bodies = [b"\x10\x04", i32(8) + i32(7) + b"\x36\x02\x00", start]
source = b"\0asm\1\0\0\0" + b"".join(
    bytes([number]) + sized(content)
    for number, content in [
        (1, vec(types)),
        (2, vec([sized(m.encode()) + sized(n.encode()) + b"\0" + u(t) for m, n, t in imports])),
        (3, vec([u(0)] * 3)),
        (4, vec([b"\x70\x00\x05"])),
        (5, vec([b"\x00\x01"])),
        (7, vec([sized(b"memory") + b"\x02\x00", sized(b"_start") + b"\x00\x06"])),
        (10, vec([sized(b"\x00" + body + b"\x0b") for body in bodies])),
        (11, vec([b"\x00" + i32(1000) + b"\x0b" + sized(b"x")])),
    ]
)


def host():
    raise RuntimeError("from the host")


with tempfile.TemporaryDirectory() as directory:
    open(os.path.join(directory, "x"), "w").close()
    module = Module(source)
    wasi = Wasi(preopens={"/d": directory})
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    if shortage != "descriptors":
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        # Memory of the guest is reserved address space: let it have some, and a little for the host.
        resource.setrlimit(resource.RLIMIT_AS, (used + (9 << 30), resource.RLIM_INFINITY))
    try:
        print("exit", wasi.run(module, {"env": {"h": host}}))
    except BaseException as error:
        print(type(error).__name__, error)
"""

_RESULTS = {
    "trap": "Trap unreachable",
    "div": "Trap integer divide by zero",
    "oob": "Trap out of bounds memory access",
    "host": "RuntimeError from the host",
    "call": "exit 0",
    "table": "Trap uninitialized element",
    "poll": "exit 0",
    "exit": "exit 3",
    "deep": "Trap call stack exhausted",
    "grow": "exit 0",
}


@pytest.mark.parametrize("shortage", ["descriptors", "memory", "both"])
@pytest.mark.parametrize("what", _RESULTS)
def test_the_same_result(what: str, shortage: str) -> None:
    # Reporting a failure must not need an import, which takes a descriptor, nor a large allocation.
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _PROGRAM, what, shortage],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (_RESULTS[what], 0), done.stderr
