"""Reads the specification's test suite: scripts, and what wabt's `wast2json` makes of them (JSON, with the modules)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wasm_text import Action, Command, ScriptModule, Value, parse_script

_LANE_BITS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}
#: How a command is called there, and here.
_KINDS = {"module_definition": "module", "module_instance": "instance"}


def read(path: Path) -> list[Command]:
    """The commands of a file; of JSON those that are not about the text format."""
    content = path.read_bytes()
    if path.suffix != ".json":
        return parse_script(content, file=path.name)
    return [_command(fields, path.parent) for fields in json.loads(content)["commands"] if not is_about_text(fields)]


def is_about_text(fields: dict[str, Any]) -> bool:
    """Whether a command in JSON has no module, because that is text that can't be read."""
    return fields.get("module_type") == "text"


def _command(fields: dict[str, Any], folder: Path) -> Command:
    kind = fields["type"]
    command = Command(_KINDS.get(kind, kind), fields["line"])
    if "filename" in fields:
        data = (folder / fields["filename"]).read_bytes()
        command.module = ScriptModule("binary", fields.get("name"), kind == "module_definition", data, None, 0)
    if "action" in fields:
        action = fields["action"]
        arguments = [_value(value) for value in action.get("args", ())]
        command.action = Action(action["type"], action.get("module"), action["field"], arguments)
    command.message = fields.get("text", "")
    # Those that trap list the types of results.
    command.expected = [_value(value) for value in fields.get("expected", ())] if kind == "assert_return" else []
    command.name, command.target = fields.get("name"), fields.get("definition")
    if kind == "register":
        command.name, command.target = fields["as"], fields.get("name")
    return command


def _value(fields: dict[str, Any]) -> Value:
    kind = fields["type"]
    content = fields.get("value")
    if kind == "either":
        value = Value("either", None)
        value.choices = [_value(choice) for choice in fields["values"]]
    elif kind == "v128":
        value = Value("v128", None)
        value.lane_type = fields["lane_type"]
        value.lanes = [_number(lane, value.lane_type) for lane in fields["value"]]
    elif kind in _LANE_BITS:
        value = Value(kind, _number(content, kind))
    else:
        value = Value(kind, int(content) if content is not None and content.isdigit() else content)
    return value


def _number(text: str, kind: str) -> int | str:
    """Integers are signed, floats bits, or the name of a pattern."""
    if text.startswith("nan:"):
        return text
    bits = int(text) % (1 << _LANE_BITS[kind])
    return bits - (1 << _LANE_BITS[kind]) if kind[0] == "i" and bits >> (_LANE_BITS[kind] - 1) else bits
