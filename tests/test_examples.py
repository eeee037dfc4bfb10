"""The examples do what their README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(*args: object, stdin: bytes = b"") -> tuple[int, str]:
    command = [sys.executable, *map(str, args)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, cwd=EXAMPLES.parent)
    assert done.stderr == b""
    return done.returncode, done.stdout.decode()


def test_plugin():
    code, out = run(EXAMPLES / "plugin" / "embed.py")
    assert code == 0
    assert "crc32: ce0c5114, zlib says ce0c5114" in out
    assert "9 words: ['the', 'quick'," in out
    assert "divide(1, 0) trapped: integer divide by zero" in out
    assert "allocate(1048576,) trapped: unreachable" in out
    assert "crc32(-1, 16) trapped: out of bounds memory access" in out
    assert out.splitlines()[-1] == "7 / 2 = 3"


def test_wordcount():
    program = EXAMPLES / "wordcount" / "wordcount.wasm"
    text = b"the cat and the dog\nand the bird\n" * 1000
    code, out = run("-m", "wasmetal", "run", program, "-n", "2", stdin=text)
    assert code == 0
    assert out.split() == ["2000", "8000", str(len(text)), "(stdin)", "3000", "the", "2000", "and"]
