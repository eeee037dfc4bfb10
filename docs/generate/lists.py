"""Lists that follow the code: traps, exceptions, features, layouts, and a function on its way to machine code."""

from __future__ import annotations

import inspect
import re

from docs.generate.imports import PACKAGES

import wasm_text
import wasm_wasi
import wasmetal
from wasm_core import errors
from wasm_core.features import Features
from wasm_core.lazy_attrs import values
from wasm_ir import vmcontext

ROOT = PACKAGES.parent


#: The exceptions that users may see.
EXCEPTIONS = (
    wasmetal.WasmError,
    wasmetal.CompileError,
    wasmetal.MalformedError,
    wasmetal.InvalidError,
    wasmetal.Unsupported,
    wasm_text.TextError,
    wasmetal.LinkError,
    wasmetal.Trap,
    wasmetal.DeadlineExceeded,
    wasmetal.WasmException,
    wasm_wasi.Exit,
)


def exceptions() -> str:
    """The exceptions, what each is derived from, and the first line of its docstring; each leads to its section."""
    rows = []
    for cls in EXCEPTIONS:
        base = next(base for base in cls.__mro__[1:] if base in (*EXCEPTIONS, Exception))
        first = inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]
        rows.append(f"| [{cls.__name__}](#{cls.__name__.lower()}) | `{base.__name__}` | {first} |")
    return "\n".join(["| exception | is a | |", "|---|---|---|", *rows])


def trap_codes() -> str:
    """The traps with their messages; each leads to its section."""
    rows = [f"| [{code.name}](#{code.name.lower()}) | {code.message} |" for code in errors.TrapCode]
    return "\n".join(["| code | message |", "|---|---|", *rows])


def switches() -> list[str]:
    """The fields of `Features`."""
    return list(inspect.signature(Features).parameters)


def features() -> str:
    """The switches, and what is on by default."""
    rows = [f"| `{name}` | {'on' if value else 'off'} |" for name, value in zip(switches(), values(Features.default()))]
    return "\n".join(["| `Features` | by default |", "|---|---|", *rows])


def settings() -> str:
    """The fields of `Config` and what they are if nothing is said."""
    rows = []
    for name, parameter in inspect.signature(wasmetal.Config).parameters.items():
        default = "Features.default()" if name == "features" else repr(parameter.default)
        rows.append(f"| `{name}` | `{default}` |")
    return "\n".join(["| `Config` | by default |", "|---|---|", *rows])


def layout(name: str) -> str:
    """A structure that code and runtime share: its fields and what the source says of them."""
    # (the module may be an extension)
    source = (ROOT / "packages/wasm-ir/src/wasm_ir/vmcontext.py").read_text()
    body = re.split(rf"^{name}: Final = Layout\($", source, flags=re.MULTILINE)[1].partition("\n)")[0]
    offsets = getattr(vmcontext, name).offsets
    rows = []
    for field, comment in re.findall(r'"(\w+)",\s*# (.*)', body):
        text = comment.replace("|", "\\|")
        rows.append(f"| {offsets[field]} | `{field}` | {text} |")
    return "\n".join([f"| offset | {name} | |", "|---:|---|---|", *rows])


def steps(name: str) -> str:
    """A filetest: a function as text, and what becomes of it."""
    text = (ROOT / "tests/filetests" / f"{name}.wat").read_text()
    source, *parts = re.split(r"^;; -- (\w+)\n", text, flags=re.MULTILINE)
    titles = {"ir": "As IR", "amd64": "As machine code of x86-64", "arm64": "As machine code of AArch64"}
    lines = ["### As text", "", "```wat", source.strip(), "```", ""]
    for kind, part in zip(parts[::2], parts[1::2]):
        code = re.sub(r"^;; ?", "", part.strip(), flags=re.MULTILINE)
        lines += [f"### {titles[kind]}", "", "```text", code.strip(), "```", ""]
    return "\n".join(lines)
