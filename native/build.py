"""Builds native wheels of the compiler's packages with mypyc: python native/build.py OUTPUT_FOLDER (as `nox -s mypyc`).

The packages themselves always build as pure wheels. This takes those wheels, adds the extension modules to them, which
Python prefers to the sources beside them, and marks them for this platform. The C of hot modules is compiled twice, the
second time by a profile of what the first did with the examples (GCC manual, "Optimize Options"). Object files stay in
build/native, and the next build takes those whose C has not changed.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copy2, copytree, rmtree
from time import time
from typing import Any, Final

from mypyc.build import mypycify
from objects import Toolchain
from packaging import tags
from setuptools import Extension

ROOT: Final = Path(__file__).parent.parent

#: Folder of each package -> its modules that stay interpreted, besides `__init__`: those of value classes made by attrs
#: (which mypyc does not know as it comes here), of protocols, and what runs once per process, or for people and tests.
INTERPRETED: Final[dict[str, tuple[str, ...]]] = {
    "wasm-core": (
        *(
            "defined_types",
            "errors",
            "features",
            "instructions",
            "lazy_attrs",
            "lazy_typing",
            "module",
            "protocols",
            "types",
        ),
        *("testing/binary", "testing/builder"),
    ),
    "wasm-ir": (
        *(
            "backend",
            "backend_protocol",
            "codegen/registers",
            "codegen/vocabulary",
            "frontend_options",
            "mypyc_attributes",
        ),
        *("codegen/allocation_checker", "codegen/machine_printer", "disassembly", "printer", "verifier"),
        *(
            "testing/control",
            "testing/exceptions",
            "testing/fixtures",
            "testing/floats",
            "testing/integers",
            "testing/large",
            "testing/memory",
            "testing/native_code",
            "testing/stubs",
            "testing/suite",
            "testing/tail_calls",
            "testing/vector_trees",
            "testing/vectors",
        ),
    ),
    "wasm-text": ("errors",),
    "backend-amd64": ("backend", "cpu", "signals", "stubs"),
    "backend-arm64": ("backend", "cpu", "signals", "stubs"),
}

#: What `platform.machine` says -> the package that compiles for such a machine.
BACKENDS: Final = {
    **dict.fromkeys(("x86_64", "AMD64"), "backend-amd64"),
    **dict.fromkeys(("aarch64", "arm64", "ARM64"), "backend-arm64"),
}
OTHER_BACKENDS: Final = {"backend-amd64", "backend-arm64"} - {BACKENDS.get(platform.machine(), "")}

#: Modules that few programs need much of, by patterns: they are compiled once, to be small. So is the backend that is
#: for another machine.
COLD: Final = (
    *(
        "*vector*",
        "*shuffle*",
        "*tail_calls",
        "*_division",
        "frontend/exceptions",
        "frontend/fuel",
        "frontend/listener",
    ),
    *("testing/*", "*disassembl*", "encoder", "quoting", "names", "custom_sections", "const_expr", "constant_opcodes"),
    *("gc_instructions", "subtyping", "symbols", "type_section"),
)

#: No profile is taken of these packages, which are compiled for speed all the same.
UNCOUNTED: Final = {"wasm-text"}

#: For all: functions of a library are nobody else's, so the linker need not look them up by name; those that nobody
#: calls can be left out; with several C files mypyc defines the table of another package's functions in each of them.
COMPILE: Final = ("-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-fcommon")
LINK: Final = {
    "linux": ("-s", "-Wl,--gc-sections", "-Wl,-O1", "-Wl,--hash-style=gnu", "-Wl,-z,noseparate-code"),
    "darwin": ("-Wl,-dead_strip", "-Wl,-x"),
}.get(sys.platform, ())
SMALL: Final = ("-Os",)
COUNT: Final = "-fprofile-generate"
#: Seconds that an object file is kept that no build uses.
KEPT: Final = 3 * 24 * 3600


def compiled_modules(package: str) -> list[str]:
    """Paths, relative to the root, of the modules of a package that are compiled."""
    source = ROOT / "packages" / package / "src"
    (top,) = (path for path in source.iterdir() if (path / "__init__.py").is_file())
    interpreted = {top / f"{name}.py" for name in INTERPRETED[package]}
    missing = [str(path) for path in interpreted if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"no such modules: {', '.join(missing)}")
    return [
        str(path.relative_to(ROOT))
        for path in sorted(top.rglob("*.py"))
        if path.name != "__init__.py" and path not in interpreted
    ]


def module_name(path: str) -> str:
    """The dotted name of a module from its path relative to the root."""
    return ".".join(Path(path).with_suffix("").parts[3:])


def import_name(package: str) -> str:
    """The name that a package is imported by."""
    return module_name(compiled_modules(package)[0]).partition(".")[0]


def translate(folder: Path) -> list[Extension]:
    """Translate all packages to C in one go, so that they call each other without Python in between."""
    groups = [(compiled_modules(package), import_name(package)) for package in INTERPRETED]
    rmtree(folder / "c", ignore_errors=True)
    extensions: list[Extension] = mypycify(
        # Without a cache: mypyc does not say again what C files of its own a cached module needs.
        ["--config-file=pyproject.toml", f"--cache-dir={os.devnull}", *(path for files, _ in groups for path in files)],
        opt_level="2",
        debug_level="0",
        # A shared library for each package, as each has a wheel of its own.
        separate=groups,
        # One C file for each module: gcc takes much longer for all modules of a package in one.
        multi_file=True,
        target_dir=str(folder / "c"),
    )
    for extension in extensions:
        extension.extra_compile_args = [*extension.extra_compile_args, *COMPILE]
        extension.extra_link_args = [*extension.extra_link_args, *LINK]
    return extensions


def options_of_modules() -> dict[str, Sequence[str] | None]:
    """By name, without its ending, of the C file that a module becomes: its options, None where a profile is used."""
    options: dict[str, Sequence[str] | None] = {}
    for package in INTERPRETED:
        for path in compiled_modules(package):
            inside = Path(*Path(path).with_suffix("").parts[4:])
            if package in OTHER_BACKENDS or any(inside.match(pattern) for pattern in COLD):
                chosen: Sequence[str] | None = SMALL
            else:
                chosen = () if package in UNCOUNTED else None
            options[f"__native_{module_name(path).replace('.', '___')}"] = chosen
    return options


def in_parallel(run: Callable[..., None], calls: Iterable[tuple[Any, ...]]) -> None:
    """Make calls, as many at a time as there are processors; one that fails ends it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for _ in pool.map(lambda arguments: run(*arguments), calls):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def compile_sources(
    toolchain: Toolchain, extensions: list[Extension], options: Callable[[str, Extension], Sequence[str]]
) -> list[tuple[Extension, dict[str, Path]]]:
    """Compile the C of some extensions, with options for each file; returns the object files of each."""
    made = []
    calls = {}
    for extension in extensions:
        objects = {}
        for source in extension.sources:
            chosen = options(source, extension)
            objects[source] = path = toolchain.object_path(source, extension, chosen)
            calls[path] = (source, extension, chosen, path)
        made.append((extension, objects))
    # What takes longest first.
    longest = sorted(calls.values(), key=lambda call: -Path(call[0]).stat().st_size)
    in_parallel(toolchain.compile, longest)
    return made


def link(toolchain: Toolchain, made: list[tuple[Extension, dict[str, Path]]], libraries: Path, *options: str) -> None:
    """Link extensions into a folder, which is emptied before."""
    rmtree(libraries, ignore_errors=True)
    in_parallel(toolchain.link, ((extension, objects.values(), libraries, options) for extension, objects in made))


def train(toolchain: Toolchain, made: list[tuple[Extension, dict[str, Path]]], folder: Path) -> None:
    """Run what counts, and keep the profile of each object file that counts and has none yet, beside it."""
    instrumented = folder / "instrumented"
    link(toolchain, made, instrumented, COUNT)
    for package in INTERPRETED:
        copytree(ROOT / "packages" / package / "src", instrumented, dirs_exist_ok=True)
    counts = folder / "counts"
    rmtree(counts, ignore_errors=True)
    # Whoever changes one module gets the same counts for the others.
    environment = {**os.environ, "PYTHONPATH": str(instrumented), "PYTHONHASHSEED": "0", "GCOV_PREFIX": str(counts)}
    subprocess.run([sys.executable, str(ROOT / "native" / "train.py")], env=environment, check=True)
    for path in counts.rglob("*.gcda"):
        profile = toolchain.objects / path.name
        if not profile.exists():
            copy2(path, profile)


def build_extensions(folder: Path) -> None:
    """Make the extension modules of all packages, in the folder `lib` of this one."""
    extensions = translate(folder)
    toolchain = Toolchain(folder / "objects")
    started = time()
    of_modules = options_of_modules()

    def count(source: str, extension: Extension) -> Sequence[str]:
        # mypyc's own C files are used by all.
        options = of_modules.get(Path(source).stem)
        return (COUNT,) if options is None else options

    def use(source: str, extension: Extension) -> Sequence[str]:
        options = count(source, extension)
        if options != (COUNT,):
            return options
        profile = toolchain.object_path(source, extension, options).with_suffix(".gcda")
        return (f"-fprofile-use={profile}", "-Wno-missing-profile") if profile.exists() else ()

    if toolchain.is_gcc:
        made = compile_sources(toolchain, extensions, count)
        counting = [
            path
            for extension, objects in made
            for source, path in objects.items()
            if count(source, extension) == (COUNT,)
        ]
        if not all(path.with_suffix(".gcda").exists() for path in counting):
            train(toolchain, made, folder)
    link(toolchain, compile_sources(toolchain, extensions, use), folder / "lib")
    toolchain.forget(started - KEPT)


def add_extensions(wheel: Path, package: str, libraries: Path, folder: Path, output: Path) -> None:
    """Make the native wheel of a package from its pure one."""
    unpacked = folder / "wheels" / package
    rmtree(unpacked, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "wheel", "unpack", str(wheel), "--dest", str(unpacked)], check=True)
    (content,) = unpacked.iterdir()
    name = import_name(package)
    copytree(libraries / name, content / name, dirs_exist_ok=True)
    for library in libraries.glob(f"{name}__mypyc.*"):
        copy2(library, content)
    (metadata,) = content.glob("*.dist-info/WHEEL")
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    tag = next(tags.cpython_tags(platforms=[platform]))
    text = metadata.read_text()
    text = text.replace("Root-Is-Purelib: true", "Root-Is-Purelib: false").replace("Tag: py3-none-any", f"Tag: {tag}")
    metadata.write_text(text)
    subprocess.run([sys.executable, "-m", "wheel", "pack", str(content), "--dest-dir", str(output)], check=True)


def build_wheel(package: str, folder: Path, output: Path) -> None:
    """Build the wheel of a package, whose extension modules are made, into a folder."""
    pure = folder / "pure" / package
    rmtree(pure, ignore_errors=True)
    make = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(pure)]
    subprocess.run(make, cwd=ROOT / "packages" / package, stdout=subprocess.DEVNULL, check=True)
    (wheel,) = pure.glob("*.whl")
    add_extensions(wheel, package, folder / "lib", folder, output)


def build_wheels(output: Path, packages: Iterable[str] = INTERPRETED) -> None:
    """Build the wheels of some packages into a folder, which is emptied before, by way of build/native."""
    rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    folder = ROOT / "build" / "native"
    build_extensions(folder)
    in_parallel(build_wheel, ((package, folder, output) for package in packages))


def main() -> None:
    """Build all wheels into the folder given."""
    build_wheels(Path(sys.argv[1]).resolve())


if __name__ == "__main__":
    main()
