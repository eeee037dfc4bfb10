"""The documentation site has every page, public name and error, and its lists are those of the code."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("click", reason="the reference of the command line needs click")

import wasm_core
import wasm_text
import wasm_wasi
import wasmetal
from wasm_backend_amd64 import Amd64Backend
from wasm_backend_arm64 import Arm64Backend
from wasm_core import Features, TrapCode, Unsupported
from wasm_core.lazy_attrs import values
from wasm_core.types import MAX_PAGES
from wasm_ir.frontend_options import FrontendOptions
from wasm_ir.vmcontext import check_supported
from wasm_wasi.abi import SIGNATURES
from wasmetal import shipping
from wasmetal.compiled.precompiled import compile_all
from wasmetal.store.store import UnknownReference

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from docs.generate import lists  # noqa: E402
from docs.generate.pages import FROM_THE_TOP, GENERATED, for_the_site, marks  # noqa: E402

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
IN_NAVIGATION = re.findall(r"^ +- .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)


def page_id(page: Path) -> str:
    return str(page.relative_to(DOCS))


def table(page: str, first: str) -> list[list[str]]:
    """The cells of the table whose first heading this is."""
    text = (ROOT / page).read_text()
    match = re.search(rf"^\| {first} \|.*\n\|-.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert match, f"{page} has no such table"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in match[1].splitlines()]


def test_the_navigation_has_all_pages() -> None:
    assert len(IN_NAVIGATION) == len(set(IN_NAVIGATION))
    assert set(IN_NAVIGATION) == {page_id(page) for page in PAGES} | FROM_THE_TOP.keys()


def test_what_pages_want_to_be_generated() -> None:
    wanted = [mark for page in PAGES for mark in marks(page.read_text())]
    assert sorted(wanted) == sorted(GENERATED)
    for make in GENERATED.values():
        assert make()


@pytest.mark.parametrize("page", [*map(page_id, PAGES), *FROM_THE_TOP])
def test_links_stay_on_the_site_or_lead_to_the_repository(page: str) -> None:
    source = (ROOT / FROM_THE_TOP[page] if page in FROM_THE_TOP else DOCS / page).read_text()
    for target in re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", for_the_site(source, page)):
        found = (DOCS / page).parent / target
        assert found.exists() or page_id(found.resolve()) in FROM_THE_TOP, target


def described(page: str) -> list[str]:
    return re.findall(r"^::: (\S+)$", (DOCS / page).read_text(), re.MULTILINE)


@pytest.mark.parametrize("package", [wasmetal, wasm_wasi, wasm_text, wasm_core], ids=lambda package: package.__name__)
def test_the_reference_has_every_public_name(package: ModuleType) -> None:
    name = package.__name__
    names = described(f"reference/{name}.md")
    assert len(names) == len(set(names))
    public = {f"{name}.{public}" for public in package.__all__}
    if package is wasm_core:
        # Types and errors are described where most people meet them.
        shared = [key for key in package.__all__ if getattr(wasmetal, key, None) is getattr(package, key)]
        public -= {f"{name}.{key}" for key in shared}
    assert public <= set(names)
    # What is public in modules of its own.
    more = [f"wasmetal.interruption.{key}" for key in importlib.import_module("wasmetal.interruption").__all__]
    assert set(names) - public <= {"wasmetal.importer", *more}


def test_each_error_has_a_section() -> None:
    text = (DOCS / "errors.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n\n(.+?)(?=\n##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == [*(cls.__name__ for cls in lists.EXCEPTIONS), *(code.name for code in TrapCode)]
    for name, section in sections.items():
        assert re.findall(r"\*\*(.+?)\*\*", section) == ["What happened.", "Why.", "What to do."], name


def test_the_errors_are_all_that_are_public() -> None:
    public = {getattr(package, name) for package in (wasmetal, wasm_wasi, wasm_text) for name in package.__all__}
    classes = {value for value in public if isinstance(value, type) and issubclass(value, BaseException)}
    assert classes == set(lists.EXCEPTIONS)


def test_errors_lead_to_their_section() -> None:
    made: dict[type[BaseException], BaseException] = {
        wasmetal.Trap: wasmetal.Trap(TrapCode.UNREACHABLE),
        wasmetal.DeadlineExceeded: wasmetal.DeadlineExceeded(),
        wasmetal.WasmException: wasmetal.WasmException(wasmetal.Tag(wasmetal.FuncType([], [])), ()),
    }
    errors = [made[cls] if cls in made else cls("message") for cls in lists.EXCEPTIONS if cls is not wasm_wasi.Exit]
    for error in errors:
        name = "UNREACHABLE" if type(error) is wasmetal.Trap else type(error).__name__
        assert error.explanation.endswith(f"docs/errors.md#{name.lower()}")
    for code in TrapCode:
        assert wasmetal.Trap(code).explanation.endswith(f"#{code.name.lower()}")
    # One that is not public.
    assert UnknownReference("message").explanation.endswith("#wasmerror")


# Lists that age.

#: What needs the proposal, by its switch.
NEEDING = {
    "relaxed_simd": "(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))",
    "extended_const": "(global i32 (i32.add (i32.const 1) (i32.const 2))) (func (result i32) (global.get 0))",
    "tail_calls": "(func $f (return_call $f))",
    "function_references": "(type $t (func)) (func (param (ref null $t)) (call_ref $t (local.get 0)))",
    "gc": "(type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1))))",
    "exceptions": "(tag $e) (func (block $h (try_table (catch $e $h) (throw $e))))",
    "legacy_exceptions": "(tag $e) (func (try (do (throw $e)) (catch $e)))",
    "multi_memory": "(memory 1) (memory $b 1) (func (drop (i32.load $b (i32.const 0))))",
    "memory64": "(memory i64 1) (func (drop (i32.load (i64.const 0))))",
    "wide_arithmetic": "(func (param i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 0)))",
    "custom_page_sizes": "(memory 1 (pagesize 1)) (func (drop (i32.load (i32.const 0))))",
    "threads": "(memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0))))",
}


def switches(row: list[str]) -> str:
    return re.findall(r"`(\w+)`", row[1])[0] if "`" in row[1] else ""


def test_proposals_have_a_row() -> None:
    default = dict(zip(lists.switches(), values(Features.default())))
    # (the others are parts of 2.0)
    later = {name for name in default if not getattr(Features.wasm_2_0(), name)}
    rows = {name: row for row in table("docs/proposals.md", "proposal") if (name := switches(row))}
    assert rows.keys() == later == NEEDING.keys()
    assert {name for name, row in rows.items() if "(off)" in row[1]} == {name for name in later if not default[name]}


@pytest.mark.parametrize("name", NEEDING)
@pytest.mark.parametrize("backend", [Amd64Backend, Arm64Backend], ids=["amd64", "arm64"])
def test_proposals_run_where_the_page_says_so(name: str, backend: type[Amd64Backend | Arm64Backend]) -> None:
    (row,) = [row for row in table("docs/proposals.md", "proposal") if switches(row) == name]
    features = Features(**dict.fromkeys(lists.switches(), True))
    module = wasm_text.parse(f"(module {NEEDING[name]})", features=features)
    wasm_core.validate_module(module, features)
    try:
        check_supported(module)
        compile_all(module, features, backend(), FrontendOptions(vectors=True, exceptions=True))
        runs = True
    except Unsupported:
        runs = False
    # (what runs in part says what)
    assert (row[4 if backend is Amd64Backend else 5] == "yes") == runs


def test_wasi_functions_have_a_row() -> None:
    named = [name for row in table("docs/wasi.md", "function \\| remarks") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(SIGNATURES)
    assert f"All {len(SIGNATURES)} functions" in (ROOT / "packages/wasi/README.md").read_text()


def test_the_readme_has_all_packages() -> None:
    rows = table("README.md", "package")
    found = {(row[0].partition("](")[2].strip(")"), row[1].strip("`")) for row in rows}
    assert found == {
        (str(source.parents[2].relative_to(ROOT)), source.parent.name)
        for source in ROOT.glob("packages/*/src/*/__init__.py")
    }


def test_limits_that_plug_ins_have_if_nothing_is_said() -> None:
    config = wasmetal.Config()
    expected = {
        "max_memory_pages": f"{MAX_PAGES * wasmetal.PAGE_SIZE >> 30} GiB "
        f"({config.max_memory_pages * wasmetal.PAGE_SIZE >> 30} GiB if its addresses have 64 bits)",
        "max_table_elements": f"{config.max_table_elements:,} elements",
        "max_stack_bytes": f"{config.max_stack_bytes >> 20} MiB",
        "max_module_bytes": f"{config.max_module_bytes >> 30} GiB",
        "max_instances": f"{config.max_instances:,}",
    }
    said = {
        match[1]: row[2] for row in table("docs/plugins.md", "what") if (match := re.search(r"Config\((\w+)", row[1]))
    }
    assert said == expected


def test_how_many_modules_are_kept() -> None:
    said = f"{shipping.MAX_KEPT} of them, and {shipping.MAX_KEPT_BYTES >> 20} MiB"
    assert said in (DOCS / "clusters.md").read_text()
    assert f"the {shipping.MAX_KEPT} modules" in (ROOT / "SECURITY.md").read_text()


def test_pythons() -> None:
    project = tomllib.loads((ROOT / "packages/runtime/pyproject.toml").read_text())["project"]
    classified = [match[1] for line in project["classifiers"] if (match := re.search(r":: (3\.\d+)$", line))]
    chores = ast.parse((ROOT / "noxfile.py").read_text())
    (tested,) = [
        ast.literal_eval(node.value)
        for node in chores.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PYTHONS"
    ]
    assert classified == tested
    assert project["requires-python"] == f">={tested[0]}"
    for page in ("README.md", "docs/index.md"):
        assert f"CPython {tested[0]} or later" in (ROOT / page).read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        assert f"{tested[0]} to {tested[-1]}" in " ".join((ROOT / page).read_text().split())


#: Figures of the README, in order: beginning of the row, section of the performance page, column of the mean.
FIGURES = [
    ("run time of the real programs", "Run time of real programs", ["wasmetal / wasmtime"]),
    (
        "run time of 15 kernels",
        "Run time of kernels",
        ["wasmetal / wasmtime", "wasmetal / native", "wasmtime / native"],
    ),
    ("machine code, bytes", "Code size, per WebAssembly instruction", ["wasmetal / wasmtime"]),
    ("compiling everything", "Compiling, per WebAssembly instruction", ["total / wasmtime"]),
    ("process start to end, with the code", "Process start to program end", ["wasmetal, cached / wasmtime, cached"]),
    ("process start to end, nothing cached", "Process start to program end", ["wasmetal / wasmtime"]),
]


@pytest.mark.parametrize("row, section, columns", FIGURES, ids=[row for row, _, _ in FIGURES])
def test_figures_of_the_readme(row: str, section: str, columns: list[str]) -> None:
    (line,) = re.findall(rf"^\| {row}.*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    said = [float(number) for number in re.findall(r"(\d+\.\d+) × (?:wasmtime|native)", line)]
    page = (DOCS / "performance.md").read_text().partition(f"### {section}\n")[2].partition("\n#")[0]
    titles, *rows = [
        [cell.strip() for cell in text.strip("|").split("|")] for text in re.findall(r"^\|.*$", page, re.M)
    ]
    (means,) = [cells for cells in rows if "geometric mean" in cells[0]]
    measured = [float(means[titles.index(column)].strip("*")) for column in columns]
    assert said[: len(measured)] == pytest.approx(measured, rel=0.05)


def test_it_builds() -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: nox -s docs has it")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: nox -s docs has it")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
