"""What pages show runs, and shows what they say.

Of README.md, the pages in docs/ and those of the packages:

- Blocks of `python` share a namespace; where a line that prints ends in a comment, that is what it prints.
- A block with a title is a file.
- Blocks of `console` have commands, behind `$`, and what they print. `wasmetal` and `python FILE` are run. A line `...`
  stands for any lines.

Blocks of `py` show something else: code for another library, or that needs what is not there.
"""

from __future__ import annotations

import ast
import fnmatch
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from wasm_core.lazy_attrs import frozen

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/README.md")])
FENCE = re.compile(r"^```(\w+)(?: title=\"([\w.]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Commands that are not run: they install something, or are chores, which nox.py has.
NOT_RUN = ("pip ", "python -m pip ", "python -m nox", "nox ", "git ")


@frozen
class Block:
    """A fenced block of a page."""

    language: str
    file: str
    content: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    for match in FENCE.finditer(text):
        yield Block(match[1], match[2] or "", match[3], text.count("\n", 0, match.start()) + 2)


def id_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def missing(source: str, folder: Path) -> list[str]:
    """What a program imports that is not installed, looking into files beside it, too."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        for name in names:
            top = name.partition(".")[0]
            if (beside := folder / f"{top}.py").exists():
                found += missing(beside.read_text(), folder)
            elif importlib.util.find_spec(top) is None:
                found.append(top)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pages are read: what they take for granted is here."""
    shutil.copy(ROOT / "examples/plugin/plugin.wasm", tmp_path / "plugin.wasm")
    shutil.copy(ROOT / "examples/wordcount/wordcount.wasm", tmp_path / "program.wasm")
    (tmp_path / "some/dir").mkdir(parents=True)
    (tmp_path / "i32.wast").write_text("(module)")
    (tmp_path / "some/dir/in.txt").write_text("some text\n")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", copy_function=shutil.copyfile)
    shutil.copy(ROOT / "README.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    return tmp_path


def run_python(block: Block, namespace: dict[str, object], page: Path) -> None:
    code = compile("\n" * (block.line - 1) + block.content, str(page), "exec")
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(code, namespace)
    lines = iter(printed.getvalue().splitlines())
    for said in re.findall(r"^\s*print\(.*\)\s+# (.+)$", block.content, re.MULTILINE):
        assert said in lines, f"{page}:{block.line}: not printed, or in another order: {said}"


def run_console(block: Block, folder: Path, page: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from wasmetal.cli import main

    for part in re.split(r"^\$ ", block.content, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        where = f"{page}:{block.line}: {command}"
        if command.startswith(NOT_RUN):
            continue
        name, *arguments = shlex.split(command, comments=True)
        if name == "python":
            if lacking := missing((folder / arguments[0]).read_text(), folder):
                print(f"not run, as {lacking} is not installed: {where}")
                continue
            path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
            done = subprocess.run(
                [sys.executable, *arguments],
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                timeout=120,
            )
            printed = done.stdout + (done.stderr if done.returncode else "")
        else:
            assert name == "wasmetal", where
            capfd.readouterr()
            main(arguments)
            printed = "".join(capfd.readouterr())
        # (`[` and `?` mean themselves)
        pattern = "*".join(fnmatch_quoted(text) for text in re.split(r"^\.\.\.\n", expected, flags=re.MULTILINE))
        assert fnmatch.fnmatchcase(printed, pattern), f"{where}\n{printed}"


def fnmatch_quoted(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if re.search("^```(?:python|console)", page.read_text(), re.M)], ids=id_of
)
def test_page(page: Path, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list(blocks(page.read_text()))
    lacking = [
        name
        for block in shown
        if block.language == "python" and not block.file
        for name in missing(block.content, folder)
    ]
    if lacking:
        pytest.skip(f"{', '.join(lacking)} is not installed")
    # Classes and functions of a page look for their module.
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for block in shown:
        if block.file:
            (folder / block.file).write_text(block.content)
        elif block.language == "python":
            run_python(block, module.__dict__, page)
        elif block.language == "console":
            run_console(block, folder, page, capfd)


def test_each_command_of_the_pages_is_run() -> None:
    """Blocks without a language are not run: none of them has a command of ours."""
    for page in PAGES:
        bare = re.findall(r"^```\n(.*?)^```$", FENCE.sub("", page.read_text()), re.MULTILINE | re.DOTALL)
        assert [line for text in bare for line in text.splitlines() if line.startswith(("wasmetal ", "$ "))] == [], page
