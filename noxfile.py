"""Chores, one command each: `nox -l` lists them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["tests", "types", "lint"]
# A machine rarely has every Python: test with those that are there, also when the CI variable is set.
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
PACKAGES = ["wasm-core", "wasm-ir", "backend-amd64", "backend-arm64", "wasm-text", "runtime", "wasi"]
#: What every backend must do, done by the one that runs under emulation.
SUITE = "packages/backend-arm64/tests/test_backend.py"
#: What tests/pythons/interpreters.py puts together: of each line all, or what it needs is missing.
OTHER_PYTHONS = (("3.14", "3.15", "3.14t", "3.15t"), ("3.13-musl", "3.14-musl"))
#: Packages that only compute, which every Python does alike: the first tests them, the others with WASMETAL_ALL=1.
SAME_EVERYWHERE = ("wasm-core", "wasm-ir", "backend-amd64", "backend-arm64", "wasm-text")
#: What goes with these: tests of code, of types and of pages.
TESTS_OF_THE_SAME = (
    *("arm64", "backends", "corpus", "filetests", "packaging", "programs", "spec", "typing", "test_directions.py"),
    *("windows", "test_docs.py", "test_pages.py", "test_site.py", "test_third_party_backend.py"),
)
#: What builds without a GIL test, all with WASMETAL_ALL=1: the rest does not depend on that.
TESTS_OF_THREADS = (
    "tests/test_racing.py",
    *[
        f"packages/runtime/tests/test_{name}.py"
        for name in (
            *("busy", "close", "forks", "free_threading", "garbage", "glue_entry", "glue_host", "glue_threads"),
            *("instance", "interruption", "lifetime", "linking", "native_callable", "references", "suspension"),
            *("threads", "wasm_exceptions"),
        )
    ],
    "packages/wasi/tests/test_threads.py",
)
#: Filetests expect instructions as this version writes them.
CAPSTONE = "capstone>=5,<6"
#: What instructions, results and performance are compared with.
WASMTIME = "wasmtime==50.0.1"
#: What builds the documentation site.
SITE = ("mkdocs-material>=9.5,<10", "mkdocstrings[python]>=0.26")
#: What tests let look at the packages as embedders' tools do; pyright needs node besides.
TYPING = ("mypy", "pyright", "jedi")
#: Where the specification's test suite, the corpus and so on are; tests that need them skip without.
SHARED = Path(os.environ.get("WASMETAL_SHARED", ROOT.parent / "shared"))


def find_pyenv_versions() -> None:
    """Let pyenv's shims start every version that pyenv has, not only the one that is switched on."""
    if shutil.which("pyenv"):
        listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False)
        versions = [line.strip() for line in listed.stdout.splitlines()]
        mine = ".".join(map(str, sys.version_info[:3]))
        others = [version for version in versions if version != mine]
        os.environ["PYENV_VERSION"] = ":".join([*([mine] if mine in versions else []), *others])


find_pyenv_versions()


def install_packages(session: nox.Session, *more: str) -> None:
    """Install the project's packages, editable, in one go so that they find each other."""
    editable = [argument for name in PACKAGES for argument in ("-e", f"packages/{name}")]
    session.install(*editable, "click", "rich", *more)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests of all packages; arguments go to pytest."""
    # hatchling builds the third-party backend that a test installs into an environment of its own; build, with it, what
    # would be uploaded.
    tools = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", CAPSTONE, "hatchling", "build")
    # One Python looks at types and builds the site.
    first = session.python == PYTHONS[0]
    more = (*TYPING, *SITE) if first else ()
    install_packages(session, *tools, *more, f"{WASMTIME}; platform_machine == 'x86_64'")
    arguments = list(session.posargs)
    if not first and not os.environ.get("WASMETAL_ALL"):
        arguments += [f"--ignore=packages/{name}/tests" for name in SAME_EVERYWHERE]
        arguments += [f"--ignore=tests/{name}" for name in TESTS_OF_THE_SAME]
    session.run("pytest", "--numprocesses=auto", *arguments)


@nox.session(python="3.11")
def pythons(session: nox.Session) -> None:
    """Fetch CPython 3.14 and 3.15, with a GIL and without, and two for musl, into a cache directory, and run the tests
    of the runtime there; without a GIL, those that threads matter to. Arguments go to pytest."""
    found = []
    for versions in OTHER_PYTHONS:
        script = [sys.executable, "tests/pythons/interpreters.py", *versions]
        made = subprocess.run(script, capture_output=True, text=True, check=False)
        if made.returncode:
            session.warn(f"no Python {', '.join(versions)}: {made.stdout.strip() or made.stderr.strip()}")
        else:
            found += made.stdout.split()
    if not found:
        session.skip("no other Pythons")
    everything = [f"packages/{name}/tests" for name in PACKAGES if name not in SAME_EVERYWHERE]
    failed = []
    for python in found:
        version = Path(python).parents[1].name
        free_threaded = python.endswith("t") and not os.environ.get("WASMETAL_ALL")
        tests = session.posargs or (TESTS_OF_THREADS if free_threaded else everything)
        try:
            session.run(python, "-X", "faulthandler", "-m", "pytest", "--numprocesses=auto", *tests, external=True)
        except nox.command.CommandFailed:
            failed.append(version)
    if failed:
        session.error(f"failed: {', '.join(failed)}")


#: Those that native wheels are made for.
NATIVE_PYTHONS = ["3.11", "3.12", "3.13"]
#: mypy must see attrs, from which the packages' classes come, and pytest, which the tests of all backends need.
BUILD_NATIVE = ("mypy[mypyc]>=2,<3", "setuptools", "wheel", "hatchling", "packaging", "attrs", "pytest")


# The environment is kept, as what was compiled is (native/objects.py): after a small change a build takes a minute.
@nox.session(reuse_venv=True)
def mypyc(session: nox.Session) -> None:
    """Build native wheels for this Python of the compiler's packages into dist-native/, and run the tests on them."""
    session.install(*BUILD_NATIVE)
    session.run("python", "native/build.py", "dist-native")
    wheels = [str(wheel) for wheel in sorted((ROOT / "dist-native").glob("*.whl"))]
    # A backend for other machines is one of these (native/build.py).
    native = {wheel.name.split("-")[0].replace("_", "-").removeprefix("wasm-") for wheel in map(Path, wheels)}
    rest = [name for name in PACKAGES if name.removeprefix("wasm-") not in native]
    pure = [argument for name in rest for argument in ("-e", f"packages/{name}")]
    tools = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "capstone")
    session.install("--force-reinstall", "--no-deps", *wheels)
    session.install(*wheels, *pure, "click", "rich", *tools)
    session.run("python", "native/check.py")
    session.run("pytest", *(session.posargs or ["--numprocesses=auto"]))


@nox.session(python="3.11")
def wheels(session: nox.Session) -> None:
    """Build into dist/ what a release has for this machine: sdists, pure wheels, native ones for each Python there."""
    session.install("build", "hatchling")
    output = ROOT / "dist"
    shutil.rmtree(output, ignore_errors=True)
    for name in PACKAGES:
        session.run("python", "-m", "build", "--no-isolation", "--outdir", str(output), f"packages/{name}")
    for python in NATIVE_PYTHONS:
        session.notify(f"native_wheels-{python}")


@nox.session(python=NATIVE_PYTHONS, reuse_venv=True, default=False)
def native_wheels(session: nox.Session) -> None:
    """Build native wheels for one Python, beside what is in dist/."""
    session.install(*BUILD_NATIVE)
    folder = Path(session.create_tmp())
    session.run("python", "native/build.py", str(folder))
    for wheel in folder.glob("*.whl"):
        shutil.copy2(wheel, ROOT / "dist")


@nox.session(python="3.11")
def types(session: nox.Session) -> None:
    """Check the types of every package, strictly."""
    install_packages(session, "mypy", "pytest", "hypothesis")
    session.run("mypy", *(f"packages/{name}/src" for name in PACKAGES))
    # What is for another system is checked as if for it.
    as_windows = ("--platform=win32", "--follow-imports=silent")
    session.run("mypy", *as_windows, "packages/runtime/src/wasmetal/system/windows.py")
    session.run("mypy", *as_windows, "--exclude", "/host/posix/", "packages/wasi/src")
    # A folder of scripts, which import each other as such.
    session.install(*BUILD_NATIVE, "types-setuptools")
    session.run("mypy", "native", env={"MYPYPATH": "native"})


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Build the documentation site, strictly, into build/site, and run what its pages show."""
    # One of the tests builds it. Of what pages show, dask and Ray are large: they are run where they are installed.
    install_packages(session, *SITE, "pytest", "hypothesis", "numpy", "joblib")
    session.run("pytest", "-q", "tests/test_docs.py", "tests/test_pages.py", "tests/test_site.py")


@nox.session(python="3.11")
def stubs(session: nox.Session) -> None:
    """Write anew what type checkers see of the packages whose names are imported lazily (`__init__.pyi`)."""
    install_packages(session)
    session.run("python", "tests/typing/package_stubs.py")


@nox.session(python="3.11")
def fuzz(session: nox.Session) -> None:
    """Look for crashes and wrong results: nox -s fuzz -- TARGET --seconds N --seed S (see python -m fuzz --help)."""
    install_packages(session, "attrs", "wasmtime", "capstone")
    session.run("python", "-m", "fuzz", *(session.posargs or ["all", "--seconds", "300"]))


@nox.session(python="3.11")
def spec(session: nox.Session) -> None:
    """Run scripts of the specification's test suite: nox -s spec -- PATH... (folders or files)."""
    install_packages(session)
    arguments = session.posargs or [str(SHARED / "spec/scripts" / folder) for folder in ("2.0", "2.0/simd", "3.0")]
    session.run("python", "tests/spec/runner.py", *arguments)


@nox.session(python="3.11")
def proofs(session: nox.Session) -> None:
    """Prove the rules for integers, of the compiler and of both backends, with an SMT solver; for each night."""
    install_packages(session, "pytest", "pytest-xdist", CAPSTONE, "z3-solver")
    session.run("pytest", "--numprocesses=auto", *(session.posargs or ["tests/proofs"]))


@nox.session(python="3.11")
def filetests(session: nox.Session) -> None:
    """Write the expectations in tests/filetests anew, to be read as a diff: nox -s filetests -- [FILE]..."""
    install_packages(session, CAPSTONE)
    session.run("python", "tests/filetests/filetest.py", *session.posargs)


def run_all(session: nox.Session, commands: list[list[str]]) -> None:
    """Run programs, all of them whatever becomes of one, and fail if any has."""
    failed = []
    for command in commands:
        try:
            session.run(*command, external=True)
        except nox.command.CommandFailed:
            failed.append(" ".join(command[-2:]))
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def emulated_python(session: nox.Session) -> str:
    """The script that starts an emulated Python for AArch64; skips the session where there can be none."""
    made = subprocess.run([sys.executable, "tests/arm64/emulation.py"], capture_output=True, text=True, check=False)
    answer = made.stdout.strip()
    if made.returncode:
        session.skip(f"no emulated Python: {answer or made.stderr.strip()}")
    return answer


@nox.session(python="3.11")
def arm64(session: nox.Session) -> None:
    """Test the arm64 backend under emulation, a part, or `-- all` (an hour); other arguments go to the Python there."""
    python = emulated_python(session)
    everything = session.posargs == ["all"]
    if session.posargs and not everything:
        session.run(python, *session.posargs, external=True)
        return
    test = [python, "-X", "faulthandler", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    suite = [python, "tests/spec/runner.py", str(SHARED / "spec/scripts/2.0")]
    runtime = ROOT / "packages/runtime/tests"
    if everything:
        # One process for each file: the emulator keeps a table of every page that was ever reserved.
        commands = [[*test, str(path)] for path in (ROOT / SUITE, *sorted(runtime.glob("test_*.py")))]
        commands += [suite, [*suite, "--bounds-checks", "explicit"], [*test, "tests/corpus"]]
    else:
        # What takes a minute to compile is left out.
        large = [f"test_large_{name}" for name in ("function[1MiB]", "table", "distance_to_a_landing_pad")]
        left_out = [f"--deselect={SUITE}::TestArm64::{name}" for name in large]
        commands = [[*test, *left_out, SUITE]]
        commands += [[*test, str(runtime / f"test_{name}.py")] for name in ("traps", "function", "memory", "garbage")]
        if SHARED.is_dir():
            commands += [[*suite, "-k", name] for name in ("call", "memory", "conversions", "i64", "br_table")]
    run_all(session, commands)


@nox.session(python="3.11")
def windows(session: nox.Session) -> None:
    """Test on a Python for Windows under Wine: the runtime, a backend, WASI, the specification; arguments go to it."""
    made = subprocess.run([sys.executable, "tests/windows/emulation.py"], capture_output=True, text=True, check=False)
    python = made.stdout.strip()
    if made.returncode:
        session.skip(f"no Python for Windows: {python or made.stderr.strip()}")
    if session.posargs:
        session.run(python, *session.posargs, external=True)
        return
    test = [python, "-X", "faulthandler", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    commands = [[*test, f"packages/{name}/tests"] for name in ("backend-amd64", "runtime", "wasi")]
    if SHARED.is_dir():
        commands += [[python, "tests/spec/runner.py", str(SHARED / "spec/scripts/2.0")]]
        commands += [[*test, folder] for folder in ("tests/corpus", "tests/wasi_testsuite")]
    run_all(session, commands)


@nox.session(python="3.11")
def bench(session: nox.Session) -> None:
    """Measure beside wasmtime, native code and other peers; writes docs/performance.*: nox -s bench -- --quick."""
    install_packages(session, WASMTIME, "ziglang", "matplotlib", "ppci", "pywasm")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(python="3.11")
def sizes(session: nox.Session) -> None:
    """Code bytes of the corpus beside Cranelift's, function by function: nox -s sizes -- [arm64|amd64]."""
    target = session.posargs[0] if session.posargs else "arm64"
    script = ["-m", "benchmarks.function_sizes"]
    install_packages(session, WASMTIME)
    folder = f"benchmarks/build/cranelift-{target}"
    if target == "arm64":
        # wasmtime's wheels compile for the machine that they are for, only.
        python = emulated_python(session)
        wheel = ["--only-binary=:all:", "--platform=manylinux2014_aarch64", "--python-version=3.11"]
        session.install("--target", str(Path(python).parent / "site"), *wheel, "--upgrade", WASMTIME)
        session.run(python, *script, "--write", folder, external=True)
    else:
        session.run("python", *script, "--write", folder)
    session.run("python", *script, "--target", target, folder)


@nox.session(python="3.11")
def soak(session: nox.Session) -> None:
    """Keep threads busy for ten minutes and look for leaks: nox -s soak -- --seconds 600."""
    install_packages(session, "pytest")
    session.run("python", "-X", "faulthandler", "tests/soak/soak.py", *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13"])
def soak_handlers(session: nox.Session) -> None:
    """A minute of signal handlers that do everything, and one of those that raise: nox -s soak_handlers."""
    install_packages(session, "pytest")
    for raising in ([], ["--raise"]):
        session.run("python", "-X", "faulthandler", "tests/soak/handlers.py", *raising, *session.posargs)


@nox.session(python="3.11")
def soak_racing(session: nox.Session) -> None:
    """Let threads race for the same things on Pythons without a GIL: nox -s soak_racing -- --operations 1000000."""
    script = [sys.executable, "tests/pythons/interpreters.py", "3.14t", "3.15t"]
    made = subprocess.run(script, capture_output=True, text=True, check=False)
    if made.returncode:
        session.skip(f"no such Pythons: {made.stdout.strip() or made.stderr.strip()}")
    for python in made.stdout.split():
        session.run(python, "-X", "faulthandler", "tests/soak/racing.py", *session.posargs, external=True)


@nox.session
def demo(session: nox.Session) -> None:
    """Install everything and run a real C program."""
    install_packages(session)
    session.run("wasmetal", "run", "--dir", ".", "examples/wordcount/wordcount.wasm", "-n", "5", "README.md")
