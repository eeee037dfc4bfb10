"""Builds native wheels of the compiler's packages with mypyc: python native/build.py OUTPUT_FOLDER (as `nox -s mypyc`).

The packages themselves always build as pure wheels. This takes those wheels, adds the extension modules to them, which
Python prefers to the sources beside them, and marks them for this platform. The C is compiled twice, the second time by
a profile of what the first did with the examples (GCC manual, "Optimize Options").
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import copy2, copytree, rmtree
from typing import Final

from mypyc.build import mypycify
from packaging import tags
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

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


class BuildApart(build_ext):
    """Compiles each extension in a folder of its own: mypyc's run-time library is part of several of them."""

    def build_extension(self, ext: Extension) -> None:
        command = copy.copy(self)
        command.build_temp = str(Path(self.build_temp) / ext.name)
        build_ext.build_extension(command, ext)


def translate(folder: Path) -> list[Extension]:
    """Translate all packages to C in one go, so that they call each other without Python in between."""
    groups = [(compiled_modules(package), import_name(package)) for package in INTERPRETED]
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
        # Functions of a library are nobody else's: the linker need not look them up by name. The second option: with
        # several C files mypyc defines the table of another package's functions in each of them.
        extension.extra_compile_args += ["-fvisibility=hidden", "-fcommon"]
    return extensions


def compile_extensions(extensions: list[Extension], libraries: Path, folder: Path, *options: str) -> None:
    """Compile and link the C, with these options of gcc besides."""
    extensions = copy.deepcopy(extensions)
    for extension in extensions:
        extension.extra_compile_args += options
        extension.extra_link_args += options
    command = BuildApart(Distribution({"name": "native", "ext_modules": extensions}))
    command.build_lib = str(libraries)
    # The same folder each time: the profile of an object file is looked for beside it.
    command.build_temp = str(folder / "objects")
    command.parallel = 2
    command.force = True
    command.ensure_finalized()
    command.run()


def build_extensions(folder: Path) -> None:
    """Make the extension modules of all packages, in the folder `lib` of this one."""
    extensions = translate(folder)
    instrumented = folder / "instrumented"
    compile_extensions(extensions, instrumented, folder, "-fprofile-generate")
    for package in INTERPRETED:
        copytree(ROOT / "packages" / package / "src", instrumented, dirs_exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(instrumented)}
    subprocess.run([sys.executable, str(ROOT / "native" / "train.py")], env=environment, check=True)
    # What the training does not reach has no profile.
    compile_extensions(extensions, folder / "lib", folder, "-fprofile-use", "-Wno-missing-profile")


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


def build_wheels(output: Path) -> None:
    """Build all wheels into a folder, which is emptied before, by way of build/native."""
    rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    folder = ROOT / "build" / "native"
    rmtree(folder, ignore_errors=True)
    build_extensions(folder)
    pure = folder / "pure"
    make = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    for package in INTERPRETED:
        subprocess.run([*make, str(pure / package), str(ROOT / "packages" / package)], check=True)
        (wheel,) = (pure / package).glob("*.whl")
        add_extensions(wheel, package, folder / "lib", folder, output)


def main() -> None:
    """Build all wheels into the folder given."""
    build_wheels(Path(sys.argv[1]).resolve())


if __name__ == "__main__":
    main()
