"""One function in one file: WebAssembly, and below it what is made of it: IR, and the machine code of each backend.

    python tests/filetests/filetest.py [FILE]...

writes the expectations of these files, or of all, anew. A file is a module in the text format
with one exported function, which is the one that is shown. A line `;; bounds checks: explicit` asks for these, and
`;; features: ` in front of names lets code use these features of processors, too.
What follows the module is made: sections of comment lines, each with its name in the first.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from pathlib import Path
from typing import Final

import attrs

sys.path.insert(0, str(Path(__file__).parent))

from listing import listing

from wasm_core.decoder import decode
from wasm_core.disassembler import disassemble, format_instruction
from wasm_core.features import Features
from wasm_core.module import DecodedModule, ExternKind
from wasm_core.validator import validate_module
from wasm_ir.backend import Backend
from wasm_ir.frontend import translate
from wasm_ir.frontend_options import FrontendOptions
from wasm_ir.ir import Function
from wasm_ir.printer import format_function
from wasm_ir.verifier import verify
from wasm_ir.vmcontext import ContextLayout
from wasm_text import assemble
from wasmetal.compiled.bodies import validate_bodies

FOLDER: Final = Path(__file__).parent
#: Backend -> its module, and its class there.
BACKENDS: Final = {"amd64": ("wasm_backend_amd64", "Amd64Backend"), "arm64": ("wasm_backend_arm64", "Arm64Backend")}
#: Sections in the order in which they stand in a file.
SECTIONS: Final = ("ir", *BACKENDS)
#: Another version of the disassembler may write instructions in another way.
CAPSTONE: Final = "5."
_EXPLICIT: Final = ";; bounds checks: explicit"
_MORE_FEATURES: Final = ";; features: "
_START: Final = ";; -- "
#: Processor features that code may use: those of ten-year-old machines, whatever this one has.
_FEATURES: Final = ("bmi1", "bmi2", "lzcnt", "popcnt")


class Unavailable(Exception):
    """A section that cannot be made here, and why."""


@attrs.frozen
class Filetest:
    """A file that was read."""

    path: Path
    #: The module's text, with the comments in front of it.
    text: str
    #: Section -> what is expected.
    expected: dict[str, str]
    module: DecodedModule
    #: The function that is shown.
    index: int
    options: FrontendOptions
    #: Features of processors that code may use.
    features: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Filetest:
        """Read a file. Raises ValueError, LookupError or CompileError."""
        text, *sections = path.read_text(encoding="utf-8").split(_START)
        expected = {}
        for section in sections:
            name, _, content = section.partition("\n")
            expected[name.strip()] = content.replace("\n;; ", "\n").removeprefix(";; ").rstrip("\n")
        module = decode(assemble(text), Features.default())
        validate_module(module, Features.default())
        (index,) = [export.index for export in module.exports if export.kind is ExternKind.FUNC]
        options = FrontendOptions(explicit_bounds=_EXPLICIT in text.splitlines(), vectors=True)
        more = [line.removeprefix(_MORE_FEATURES) for line in text.splitlines() if line.startswith(_MORE_FEATURES)]
        features = (*_FEATURES, *" ".join(more).split())
        return cls(path, text.rstrip("\n"), expected, module, index, options, features)

    def ir(self) -> Function:
        """The function's IR."""
        facts, unwritten_tables = validate_bodies(self.module, Features.default())
        layout = ContextLayout(self.module, unwritten_tables)
        layout.valid_under = Features.default()
        function = translate(self.module, self.index, layout, facts[self.index], self.options)
        verify(function)
        return function

    def make(self, section: str) -> str:
        """What a section should say now. Raises Unavailable."""
        if section == "ir":
            return format_function(self.ir()).rstrip("\n")
        backend = backend_for(section, self.features)
        made = backend.compile(self.ir())
        wasm = {at: format_instruction(*what) for at, *what in disassemble(self.module, self.index)}
        lines = listing(backend, made, wasm)
        if lines is None:
            raise Unavailable("capstone is not installed")
        version = importlib.metadata.version("capstone")
        if not version.startswith(CAPSTONE):
            raise Unavailable(f"expectations are in the words of capstone {CAPSTONE}x, this is {version}")
        return "\n".join([f"{len(made.code)} bytes, frame of {made.frame_size}", *lines])

    def write(self) -> bool:
        """Write what was made; whether anything has changed. Sections that cannot be made here stay as they are."""
        parts = [self.text + "\n"]
        for section in SECTIONS:
            try:
                content = self.make(section)
            except Unavailable as reason:
                print(f"{self.path.name}: {section}: {reason}", file=sys.stderr)
                content = self.expected.get(section, "")
            parts.append(f"{_START}{section}\n" + "".join(f";; {line}\n" for line in content.split("\n")))
        content = "\n".join(parts)
        changed = content != self.path.read_text(encoding="utf-8")
        if changed:
            self.path.write_text(content, encoding="utf-8")
        return changed


def backend_for(name: str, features: tuple[str, ...]) -> Backend:
    """A backend, whatever machine this is. Raises Unavailable."""
    package, class_name = BACKENDS[name]
    try:
        chosen = getattr(importlib.import_module(package), class_name)
    except ImportError:
        raise Unavailable(f"{package} is not installed") from None
    made: Backend = chosen(features)
    return made


def main() -> None:
    """The command line."""
    paths = [Path(argument) for argument in sys.argv[1:]] or sorted(FOLDER.glob("*.wat"))
    changed = [path.name for path in paths if Filetest.read(path).write()]
    print(f"{len(changed)} of {len(paths)} files changed{': ' if changed else ''}{', '.join(changed)}")


if __name__ == "__main__":
    main()
