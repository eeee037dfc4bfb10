"""An AArch64 Python under QEMU's user-mode emulation, with the project beside it: python emulation.py FOLDER.

Debian's arm64 packages are downloaded and unpacked, not installed, into FOLDER; pure Python packages come from PyPI.
Prints the path of a script that starts the emulated Python. Exits with 3 where that cannot be done, after saying what
is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

_PROJECT: Final = Path(__file__).parents[2]
_EMULATOR: Final = "qemu-aarch64"
_ARCHITECTURE: Final = "arm64"
#: The system's part: CPython 3.11 and the libraries that its standard library is linked with.
_SYSTEM_PACKAGES: Final = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1", "libstdc++6"),
    *("libffi8", "libssl3", "zlib1g", "libexpat1", "libbz2-1.0", "liblzma5", "libsqlite3-0", "libuuid1", "libcrypt1"),
)
#: Of PyPI, in versions without machine code.
_PYTHON_PACKAGES: Final = ("attrs", "entrypoints", "pytest", "pytest-timeout", "hypothesis", "click", "rich")
#: The project's packages that make sense there.
_OWN_PACKAGES: Final = ("wasm-core", "wasm-ir", "backend-arm64", "runtime", "wasi")
#: Exit status when something is missing.
MISSING: Final = 3


class Missing(Exception):
    """What cannot be had here."""


def _run(*command: str, folder: Path | None = None) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
        raise Missing(f"{' '.join(command[:3])} ... failed: {' '.join(last)}")


def _prepare_system(root: Path) -> None:
    """Download and unpack the packages of the system, once."""
    python = root / "usr/bin/python3.11"
    if python.exists():
        return
    for tool in ("dpkg", "apt-get"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not here; Debian's packages are unpacked with it")
    foreign = subprocess.run(["dpkg", "--print-foreign-architectures"], capture_output=True, text=True, check=True)
    if _ARCHITECTURE not in foreign.stdout.split():
        if os.getuid() != 0:
            raise Missing(f"as root: dpkg --add-architecture {_ARCHITECTURE} && apt-get update")
        _run("dpkg", "--add-architecture", _ARCHITECTURE)
        _run("apt-get", "update")
    downloads = root.parent / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    _run("apt-get", "download", *(f"{name}:{_ARCHITECTURE}" for name in _SYSTEM_PACKAGES), folder=downloads)
    unpacked = root.parent / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in sorted(downloads.glob("*.deb")):
        _run("dpkg", "-x", str(package), str(unpacked))
    shutil.rmtree(downloads)
    unpacked.rename(root)


def _prepare_python(site: Path) -> None:
    """Install packages that are Python alone, once, and say which backend there is."""
    if not (site / "pytest").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site)]
        portable = [
            "--only-binary=:all:",
            "--platform=any",
            "--python-version=3.11",
            "--implementation=py",
            "--abi=none",
        ]
        _run(*pip, *portable, *_PYTHON_PACKAGES)
    for name in _OWN_PACKAGES:
        project = tomllib.loads((_PROJECT / "packages" / name / "pyproject.toml").read_text(encoding="utf-8"))[
            "project"
        ]
        version = project["version"]
        metadata = site / f"{project['name'].replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n")
        lines = []
        for group, entries in project.get("entry-points", {}).items():
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


def prepare(folder: Path) -> Path:
    """Make an emulated Python in a folder, which may exist; returns the script that starts it. Raises Missing."""
    emulator = shutil.which(_EMULATOR)
    if emulator is None:
        raise Missing(f"{_EMULATOR} is not here (Debian has it in qemu-user)")
    folder = folder.resolve()
    root, site = folder / "root", folder / "site"
    folder.mkdir(parents=True, exist_ok=True)
    _prepare_system(root)
    _prepare_python(site)
    sources = [_PROJECT / "packages" / name / "src" for name in _OWN_PACKAGES]
    path = ":".join(map(str, [Path(__file__).parent / "site", *sources, site]))
    launcher = folder / "python"
    launcher.write_text(
        "#!/bin/sh\n"
        # Programs that tests start, with what they put in front, keep theirs.
        f"[ -n \"$WASMETAL_EMULATED_PYTHON\" ] || export PYTHONPATH='{path}'\n"
        f"export PYTHONPYCACHEPREFIX='{folder / 'bytecode'}' WASMETAL_EMULATED_PYTHON='{launcher}'\n"
        f"exec '{emulator}' -L '{root}' '{root / 'usr/bin/python3.11'}' \"$@\"\n"
    )
    launcher.chmod(0o755)
    return launcher


def main() -> int:
    """The command line."""
    try:
        print(prepare(Path(sys.argv[1])))
    except Missing as missing:
        print(missing)
        return MISSING
    return 0


if __name__ == "__main__":
    sys.exit(main())
