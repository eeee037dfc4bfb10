"""`wasmetal stubs`: what a module exports and imports, as types for type checkers and editors."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from keyword import iskeyword
from typing import Final

import click

from wasm_core.decoder import decode
from wasm_core.errors import InvalidError
from wasm_core.module import DecodedModule, ExternKind
from wasm_core.names import NameSection
from wasm_core.quoting import MAX_QUOTED, quoted, shown
from wasm_core.types import ExternType, FuncType, GlobalType, MemoryType, TableType, ValueType
from wasmetal.cli.failures import Failure, about, read
from wasmetal.description import parameter_names
from wasmetal.instance import Exports

#: Types of Python, as text, by the value type: of what goes in, and of what comes out.
_TYPES: Final[dict[str, tuple[str, str]]] = {
    "i32": ("int", "int"),
    "i64": ("int", "int"),
    "f32": ("float", "float"),
    "f64": ("float", "float"),
    "v128": ("bytes", "bytes"),
}
_ANY_REFERENCE: Final = ("object", "Any")
_IN, _OUT = 0, 1
#: Characters of a type that a comment shows.
_MAX_TYPE: Final = 400
_WASI: Final = "wasi_"
#: What stubs name themselves: an export of this name would hide it.
_RESERVED: Final = frozenset({"Any", "bytes", "float", "int", "object", "property", "tuple", "wasmetal"})

_HEAD: Final = """\
# Types of {file}, written by `wasmetal stubs`.
"""

_PROTOCOLS: Final = '''

class Instance(Protocol):
    """An instance of the module."""

    @property
    def exports(self) -> Exports: ...
    def close(self) -> None: ...
    def interrupt(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: Any, error: Any, traceback: Any, /) -> None: ...


class Module(Protocol):
    """The module: `cast(Module, wasmetal.Module(...))` has these types."""

    def instantiate(self, imports: Imports{optional}) -> Instance: ...
'''


def _python_type(type: ValueType, way: int) -> str:
    if type.is_function_reference:
        return "wasmetal.Func | None" if type.nullable else "wasmetal.Func"
    return _TYPES.get(type.value, _ANY_REFERENCE)[way]


def _results(types: Sequence[ValueType], way: int) -> str:
    if not types:
        return "None"
    texts = [_python_type(type, way) for type in types]
    return texts[0] if len(texts) == 1 else f"tuple[{', '.join(texts)}]"


def _is_name(name: str) -> bool:
    """Whether Python code can have this name, and means the same one by it (Python compares them in form NFKC)."""
    return (
        name.isidentifier()
        and not iskeyword(name)
        and name not in _RESERVED
        and len(name) <= MAX_QUOTED
        and unicodedata.normalize("NFKC", name) == name
    )


def _literal(name: str) -> str:
    """A name as a literal, in double quotes where that is nothing to think about."""
    return f'"{name}"' if name.isidentifier() else repr(name)


def _comment(type: ExternType) -> str:
    return shown(str(type), _MAX_TYPE) if isinstance(type, FuncType) else _object(type, _OUT)


def _object(type: ExternType, way: int) -> str:
    """The type of what is exported or imported, other than functions."""
    if isinstance(type, MemoryType):
        return "wasmetal.Memory"
    if isinstance(type, TableType):
        return f"wasmetal.Table[{_python_type(type.element, _OUT)}]"
    if isinstance(type, GlobalType):
        made = f"wasmetal.Global[{_python_type(type.value_type, _OUT)}]"
        return made if type.mutable or way is _OUT else f"{made} | {_python_type(type.value_type, _IN)}"
    return "Any"


def _parameters(type: FuncType, names: Mapping[int, str]) -> list[str]:
    known = {number: name for number, name in names.items() if _is_name(name) and name != "self"}
    chosen = parameter_names(len(type.params), known)
    return [f"{name}: {_python_type(param, _IN)}" for name, param in zip(chosen, type.params)]


def _function(name: str, type: FuncType, names: Mapping[int, str], first: Sequence[str], indent: str) -> Iterable[str]:
    parameters = [*first, *_parameters(type, names)]
    if type.params:
        parameters.append("/")
    line = f"{indent}def {name}({', '.join(parameters)}) -> {_results(type.results, _OUT)}: ..."
    if len(line) <= 120:
        return [line]
    lines = [f"{indent}    {parameter}," for parameter in parameters]
    return [f"{indent}def {name}(", *lines, f"{indent}) -> {_results(type.results, _OUT)}: ..."]


def _exports(module: DecodedModule) -> Iterable[tuple[str, ExternType, Mapping[int, str]]]:
    """Names, types, and the names of parameters of what a module exports."""
    section = NameSection.of(module)
    for export in module.exports:
        names = section.local_names(export.index) if export.kind is ExternKind.FUNC else {}
        yield export.name, module.extern_type(export.kind, export.index), names


def _export_lines(module: DecodedModule) -> Iterable[str]:
    """The body of the class of exports."""
    for name, type, names in _exports(module):
        # (attributes that any exports have hide the module's)
        if not _is_name(name) or hasattr(Exports, name):
            yield f"    # exports[{quoted(name)}]: {_comment(type)}"
        elif isinstance(type, FuncType):
            yield from _function(name, type, names, ["self"], "    ")
        else:
            yield "    @property"
            yield f"    def {name}(self) -> {_object(type, _OUT)}: ..."


def _imported(type: ExternType) -> str:
    """The type of what may be given for an import."""
    if not isinstance(type, FuncType):
        return _object(type, _IN)
    params = [_python_type(param, _OUT) for param in type.params]
    result = _results(type.results, _IN)
    plain, called = (f"Callable[[{', '.join(p)}], {result}]" for p in (params, ["wasmetal.Caller", *params]))
    return f"{plain} | {called} | wasmetal.Func"


def _class_name(module: str, taken: set[str]) -> str:
    """A name for the class of what is imported from a module."""
    words = re.findall(r"[A-Za-z0-9]+", module[:MAX_QUOTED])
    name = "".join([word[:1].upper() + word[1:] for word in words]) + "Imports"
    name = name if name[0].isalpha() else f"Module{name}"
    number = 2
    while name in taken:
        name = f"{name.rstrip('0123456789')}{number}"
        number += 1
    taken.add(name)
    return name


def _import_lines(module: DecodedModule) -> Iterable[str]:
    """The classes of what a module imports."""
    spaces: dict[str, dict[str, ExternType]] = {}
    for entry in module.imports:
        spaces.setdefault(entry.module, {})[entry.name] = entry.type
    if all(name.startswith(_WASI) for name in spaces):
        yield "#: What the module imports."
        yield "Imports = Mapping[str, Mapping[str, Any]]"
        return
    taken = {"Imports"}
    classes: dict[str, str] = {}
    for space, entries in spaces.items():
        if space.startswith(_WASI):
            classes[space] = "Mapping[str, Any]"
            continue
        name = classes[space] = _class_name(space, taken)
        yield f"#: What is imported from {quoted(space)}."
        yield f"{name} = TypedDict("
        yield f'    "{name}",'
        yield "    {"
        for key, type in entries.items():
            yield f"        {_literal(key)}: {_imported(type)},"
        yield "    },"
        yield ")"
        yield ""
    yield "#: What the module imports."
    yield "Imports = TypedDict("
    yield '    "Imports",'
    yield "    {"
    for space, name in classes.items():
        yield f"        {_literal(space)}: {name},"
    yield "    },"
    yield ")"


def of_instance(module: DecodedModule, file: str) -> str:
    """Protocols for a module, its instances, their exports and its imports, as the text of a Python module or stub."""
    body = [*_export_lines(module)]
    imports = "\n".join(_import_lines(module))
    exports = "\n".join(body)
    optional = "" if module.imports else " | None = None"
    typing = ["Any", "Protocol", "Self", *(["TypedDict"] if "TypedDict(" in imports else [])]
    collections = [name for name in ("Callable", "Mapping") if f"{name}[" in imports]
    head = [
        _HEAD.format(file=shown(file)).rstrip(),
        "",
        "from __future__ import annotations",
        "",
        *([f"from collections.abc import {', '.join(collections)}"] if collections else []),
        f"from typing import {', '.join(typing)}",
        "",
        *(["import wasmetal", ""] if "wasmetal." in exports + imports else []),
        imports,
        "",
        "",
        "class Exports(Protocol):",
        '    """What an instance of the module exports."""',
        "",
        exports,
        "    def __getitem__(self, name: str, /) -> Any: ...",
    ]
    return "\n".join(head) + "\n" + _PROTOCOLS.replace("{optional}", optional)


def of_module(module: DecodedModule, file: str) -> str:
    """A stub for what `import` makes of the file, with `wasmetal.importer`."""
    lines = []
    for name, type, names in _exports(module):
        if not _is_name(name) or (name.startswith("__") and name.endswith("__")):
            lines.append(f"# {quoted(name)}: {_comment(type)}")
        elif isinstance(type, FuncType):
            lines += _function(name, type, names, [], "")
        else:
            lines.append(f"{name}: {_object(type, _OUT)}")
    text = "\n".join(lines)
    head = [_HEAD.format(file=shown(file))]
    if "Any" in text:
        head.append("from typing import Any\n")
    return "\n".join([*head, "import wasmetal\n", "__wasm_instance__: wasmetal.Instance", text]) + "\n"


def stubs(file: str, output: str | None, as_module: bool) -> None:
    """Print the types of a module, or write them to a file."""
    source = read(file)
    with about(file):
        module = decode(source)
        names = [export.name for export in module.exports]
        if len({*names}) != len(names):
            raise InvalidError("duplicate export name")
        text = (of_module if as_module else of_instance)(module, os.path.basename(file))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with open(output, "w", encoding="utf-8") as target:
            target.write(text)
    except OSError as error:
        raise Failure(f"{output}: {error.strerror or error}") from None
