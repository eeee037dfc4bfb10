"""What is made of the functions in this folder is what their files say; see `filetest.py`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from filetest import FOLDER, SECTIONS, Filetest, Unavailable

from wasm_core.disassembler import disassemble, format_instruction

PATHS = sorted(FOLDER.glob("*.wat"))


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_expectations(path: Path, section: str) -> None:
    """To accept changes: nox -s filetests, and read the difference."""
    test = Filetest.read(path)
    try:
        made = test.make(section)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert made.splitlines() == test.expected[section].splitlines()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_instructions_are_read_as_they_are_written(path: Path) -> None:
    """The reader of the text and the disassembler of the binary know the same instructions."""
    test = Filetest.read(path)
    text = "\n".join(line.partition(";;")[0] for line in test.text.splitlines())
    # Annotations are not instructions.
    words = re.sub(r"\(@[^)]*\)", "", text).split()
    # The disassembler leaves out what is the default, and writes decimal numbers, but for those of vectors.
    instructions = [format_instruction(*instruction) for _, *instruction in disassemble(test.module, test.index)]
    assert instructions.pop() == "end"
    assert " ".join(_decimal(" ".join(instructions).split())) + ")" in " ".join(_decimal(words))


def _decimal(words: list[str]) -> list[str]:
    return [str(int(word, 0)) if word.startswith("0x") else word for word in words if word != "offset=0"]


def test_there_are_files() -> None:
    assert len(PATHS) >= 20
