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
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from shutil import copy2, copytree, rmtree
from time import time
from typing import Any, Final, cast

from constants import copy_sources
from mending import mend
from mypyc.build import mypycify
from objects import Compilation, Toolchain
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
        *("testing/binary", "testing/builder", "testing/patience"),
    ),
    "wasm-ir": (
        *(
            "backend",
            "backend_protocol",
            "codegen/registers",
            "codegen/tables",
            "codegen/vocabulary",
            "frontend_options",
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
            "testing/scalar_model",
            "testing/stubs",
            "testing/suite",
            "testing/tail_calls",
            "testing/vector_model",
            "testing/vector_trees",
            "testing/vectors",
        ),
    ),
    "backend-amd64": ("backend", "cpu", "signals", "stubs"),
    "backend-arm64": ("backend", "cpu", "signals", "stubs"),
}

#: What `platform.machine` says -> the package that compiles for such a machine.
BACKENDS: Final = {
    **dict.fromkeys(("x86_64", "AMD64"), "backend-amd64"),
    **dict.fromkeys(("aarch64", "arm64", "ARM64"), "backend-arm64"),
}
BACKEND: Final = BACKENDS.get(platform.machine(), "")
#: Those that get native wheels here: a backend for other machines, which only cross-compiles, stays pure.
PACKAGES: Final = [package for package in INTERPRETED if package == BACKEND or package not in BACKENDS.values()]
#: Modules that few programs need much of, or that do most as they are imported, by patterns: they are compiled once, to
#: be small.
COLD: Final = (
    *("*vector*", "*shuffle*", "*tail_calls", "*_division", "encodings", "folding", "reciprocals", "symbols"),
    *("frontend/exceptions", "frontend/fuel", "frontend/listener", "*disassembl*", "encoder", "quoting", "names"),
    *("instructions", "float_instructions", "numeric", "opcodes", "decoder", "sections", "validator", "vmcontext"),
    *("const_expr", "constant_opcodes", "custom_sections", "gc_instructions", "subtyping", "type_section"),
    *("reference_instructions", "immediate_shapes"),
)

#: For all: functions of a library are nobody else's, so the linker need not look them up by name; those that nobody
#: calls can be left out; with several C files mypyc defines the table of another package's functions in each of them.
COMPILE: Final = (
    *("-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-fcommon"),
    *("-fno-asynchronous-unwind-tables", "-fno-unwind-tables"),
)
LINK: Final = {
    "linux": ("-s", "-Wl,--gc-sections", "-Wl,-O1", "-Wl,--hash-style=gnu", "-Wl,-z,noseparate-code"),
    "darwin": ("-Wl,-dead_strip", "-Wl,-x"),
}.get(sys.platform, ())
#: Besides, for the small ones that load a module out of a library: nothing of theirs needs to be set up.
LINK_LOADERS: Final = {
    "linux": ("-nostartfiles", "-nodefaultlibs", "-Wl,--build-id=none", "-Wl,-z,norelro", "-Wl,-z,now")
}.get(sys.platform, ())
SMALL: Final = ("-Os",)
COUNT: Final = "-fprofile-generate"
#: Warnings are about what was inlined in one compilation and not in the other.
USE: Final = ("-fprofile-use", "-Wno-missing-profile", "-Wno-error")
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
    groups: list[tuple[list[str], str | None]] = [
        (compiled_modules(package), import_name(package)) for package in PACKAGES
    ]
    rmtree(folder / "c", ignore_errors=True)
    sources = folder / "sources"
    rmtree(sources, ignore_errors=True)
    copy_sources(ROOT, sources, {path: module_name(path) for files, _ in groups for path in files})
    # Paths are those from the root, whoever calls.
    with chdir(sources):
        made = mypycify(
            # Without a cache: mypyc does not say again what C files of its own a cached module needs.
            [
                f"--config-file={ROOT / 'pyproject.toml'}",
                f"--cache-dir={os.devnull}",
                *(path for files, _ in groups for path in files),
            ],
            opt_level="2",
            debug_level="0",
            # A shared library for each package, as each has a wheel of its own.
            separate=groups,
            # One C file for each module: gcc takes much longer for all modules of a package in one.
            multi_file=True,
            target_dir=str(folder / "c"),
        )
    mend(folder / "c")
    extensions = cast("list[Extension]", made)  # setuptools' own, as it is there
    for extension in extensions:
        extension.extra_compile_args = [*extension.extra_compile_args, *COMPILE]
        loads = () if extension.name.endswith("__mypyc") else LINK_LOADERS
        extension.extra_link_args = [*extension.extra_link_args, *LINK, *loads]
    return extensions


def options_of_modules() -> dict[str, Sequence[str] | None]:
    """By name, without its ending, of the C file that a module becomes: its options, None where a profile is used."""
    options: dict[str, Sequence[str] | None] = {}
    for package in PACKAGES:
        for path in compiled_modules(package):
            inside = Path(*Path(path).with_suffix("").parts[4:])
            cold = any(inside.match(pattern) for pattern in COLD)
            options[f"__native_{module_name(path).replace('.', '___')}"] = SMALL if cold else None
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


def compile_all(toolchain: Toolchain, steps: Iterable[Compilation]) -> None:
    """Compile C files, each once, what takes longest first."""
    in_parallel(
        toolchain.compile, ((step,) for step in sorted(set(steps), key=lambda step: -step.source.stat().st_size))
    )


def link_all(
    toolchain: Toolchain, steps: Iterable[tuple[Extension, list[Compilation]]], libraries: Path, *options: str
) -> None:
    """Link extensions of what was compiled into a folder, which is emptied before."""
    rmtree(libraries, ignore_errors=True)
    calls = ((extension, map(toolchain.object_path, parts), libraries, options) for extension, parts in steps)
    in_parallel(toolchain.link, calls)


def train(toolchain: Toolchain, instrumented: Path, folder: Path) -> None:
    """Run what counts, and keep the profile of each object file that has none yet beside it."""
    # (the text format is what sources are in)
    for package in (*INTERPRETED, "wasm-text"):
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

    def step(source: str, extension: Extension, counting: bool) -> Compilation:
        base = Compilation(Path(source), tuple(extension.include_dirs), tuple(extension.extra_compile_args))
        # Besides modules there are mypyc's own C files, which all use, and in folders what loads a module.
        beside = None if Path(source).parent == folder / "c" else SMALL
        options = of_modules.get(Path(source).stem, beside)
        if options is not None or not toolchain.is_gcc:
            return replace(base, options=(*base.options, *(options or ())))
        counted = replace(base, options=(*base.options, COUNT))
        if counting:
            return counted
        profile = profile_of(counted)
        return replace(base, options=(*base.options, *USE), profile=profile) if profile.stat().st_size else base

    def profile_of(counted: Compilation) -> Path:
        return toolchain.object_path(counted).with_suffix(".gcda")

    def steps(counting: bool) -> list[tuple[Extension, list[Compilation]]]:
        return [(each, [step(os.fspath(source), each, counting) for source in each.sources]) for each in extensions]

    counted = steps(True)
    every = {each for _, parts in counted for each in parts}
    compile_all(toolchain, every)
    profiles = [profile_of(each) for each in every if COUNT in each.options]
    if not all(profile.exists() for profile in profiles):
        link_all(toolchain, counted, folder / "instrumented", COUNT)
        train(toolchain, folder / "instrumented", folder)
        for profile in profiles:
            # Empty where there is nothing to count.
            profile.touch()
    final = steps(False)
    compile_all(toolchain, (each for _, parts in final for each in parts))
    link_all(toolchain, final, folder / "lib")
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


def build_wheels(output: Path, packages: Iterable[str] = PACKAGES) -> None:
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
