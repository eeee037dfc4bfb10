"""What pages and docstrings name exists: links, files, modules and what is in them, chores."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ROOT / "packages"
RUNTIME = PACKAGES / "runtime/src/wasmetal"
PAGES = sorted(
    page for pattern in ("*.md", "docs/**/*.md", "packages/*/*.md", "examples/*.md") for page in ROOT.glob(pattern)
)
SOURCES = [source.parent for source in PACKAGES.glob("*/src/*/__init__.py")]
IMPORTED = "|".join(source.name for source in SOURCES)

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
DESCRIBED = re.compile(r"^::: (\S+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
#: A path from the top of the repository, or from where a package is imported.
PATH = re.compile(
    rf"(?<![\w./-])(?:packages|tests|docs|fuzz|benchmarks|examples|native|{IMPORTED})/(?:[\w*-]+[./])*[\w*-]+"
)
BARE_FILE = re.compile(r"`([\w*]+\.(?:py|md|toml))`")
DOTTED = re.compile(rf"`((?:{IMPORTED})(?:\.\w+)+)(?:\([^`]*\))?`")
CHORE = re.compile(r"nox -s ((?:[a-z]\w*\s?)+)")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def python_files() -> Iterator[Path]:
    for folder in ("packages", "tests", "fuzz", "benchmarks", "native", "examples", "docs"):
        for path in (ROOT / folder).rglob("*.py"):
            if not any(part.startswith((".", "build", "dist", "__")) for part in path.relative_to(ROOT).parts[:-1]):
                yield path


def anchors(text: str) -> set[str]:
    """Names in links: of a page's headings, as GitHub makes them, and of what the site describes there."""
    headings = (re.sub(r"[`*]", "", heading) for heading in HEADING.findall(FENCE.sub("", text)))
    described = DESCRIBED.findall(text)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings} | set(described)


def exists(name: str, page: Path = ROOT / "README.md") -> bool:
    """Whether a path names something: from the top, from a page's folder, or from where packages are imported."""
    return any(any(place.glob(name)) for place in (ROOT, page.parent, *{source.parent for source in SOURCES}))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if ":" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text()), target


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files(page: Path) -> None:
    text = page.read_text()
    assert [name for name in PATH.findall(text) if not exists(name, page)] == []
    places = [ROOT / "tests", *SOURCES, *([] if page.parent == ROOT else [page.parent])]
    bare = [name for name in BARE_FILE.findall(text) if not any(ROOT.glob(name))]
    assert [name for name in bare if not any(any(place.rglob(name)) for place in places)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=page_id)
def test_names(page: Path) -> None:
    missing = []
    for name in DOTTED.findall(page.read_text()):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError) as error:
            missing.append((name, error))
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_chores(page: Path) -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    known = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
    # What is behind the last one may be the next word of a sentence.
    named = {match.split()[0] for match in CHORE.findall(page.read_text())}
    assert named <= known


def test_pages_that_the_source_names() -> None:
    wrong = [
        (page_id(path), name)
        for path in python_files()
        for name in re.findall(r"\b(?:docs/\w+|[A-Z]{4,})\.md\b", path.read_text())
        if not exists(name)
    ]
    assert wrong == []


def test_the_map_has_all_rooms_and_modules() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    rooms = [path.parent.name for path in RUNTIME.glob("*/__init__.py")]
    tops = [path.stem for path in RUNTIME.glob("*.py") if not path.stem.startswith("__")]
    assert [name for name in (*rooms, *tops) if f"`{name}`" not in text] == []


def test_rationale_answers_questions() -> None:
    """Questions in sections, and a list of all of them, in order, at the top."""
    text = (ROOT / "docs/rationale.md").read_text()
    top, _, rest = text.partition("\n## ")
    sections, questions = (re.findall(rf"^{level} (.+)$", f"\n## {rest}", re.MULTILINE) for level in ("##", "###"))
    assert [question for question in questions if not question.endswith("?")] == []
    assert re.findall(r"^- \[(.+)\]", top, re.MULTILINE) == sections
    assert re.findall(r"^  - \[(.+)\]", top, re.MULTILINE) == questions
    # Nothing stands in a section without a question.
    assert re.findall(r"^## .+\n\n(?!### ).+", f"## {rest}", re.MULTILINE) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.parent == PACKAGES], ids=page_id)
def test_tables_of_modules(page: Path) -> None:
    """In the tables on a package's page whose first column is called `module` or `file`."""
    (source,) = page.parent.glob("src/*")
    tables = re.findall(r"^\| (?:module|file) \|.*\n\|-.*\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
    rows = [row for table in tables for row in table.splitlines()]
    named = [name for row in rows for name in re.findall(r"`(\w+)(?:\.py)?`", row.split("|")[1])]
    assert [name for name in named if not any((source / found).exists() for found in (name, f"{name}.py"))] == []


def modules_of(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")} - {"__init__"}


def test_the_table_of_files_of_a_backend() -> None:
    """It has each file: in the first column those of both backends, in a backend's column those that it alone has."""
    text = (ROOT / "docs/backends.md").read_text()
    match = re.search(r"^\| file \|(.*)\|\n\|-.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert match
    backends = [name.strip() for name in match[1].split("|")[1:]]
    files = [modules_of(PACKAGES / f"backend-{name}/src/wasm_backend_{name}") for name in backends]
    rows = [[re.findall(r"`(\w+)`", cell) for cell in row.split("|")[1:-1]] for row in match[2].splitlines()]
    shared = [name for row in rows for name in row[0]]
    assert len(shared) == len(set(shared))
    assert set(shared) == set.intersection(*files)
    for position, own in enumerate(files, 2):
        assert own - set(shared) <= {name for row in rows for name in row[position]}


def test_how_large_a_backend_is() -> None:
    """The page says so within 10 %."""
    text = (ROOT / "docs/backends.md").read_text()
    match = re.search(r"amd64 ([\d,]+), arm64 ([\d,]+), shared code generator\s\(`wasm_ir.codegen`\) ([\d,]+)", text)
    assert match
    packages = ("wasm_backend_amd64", "wasm_backend_arm64", "wasm_ir/codegen")
    for said, package in zip(match.groups(), packages, strict=True):
        (folder,) = PACKAGES.glob(f"*/src/{package}")
        lines = sum(len(path.read_text().splitlines()) for path in folder.rglob("*.py"))
        assert abs(lines / int(said.replace(",", "")) - 1) < 0.1, f"{package} has {lines} lines"
