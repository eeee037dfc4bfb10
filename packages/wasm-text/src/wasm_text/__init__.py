"""The text format of WebAssembly: `assemble`, `parse`, `format`, and scripts."""

from __future__ import annotations

from wasm_text.assemble import assemble, assemble_with_map, parse
from wasm_text.binary import SourceMap
from wasm_text.errors import TextError
from wasm_text.printer import format
from wasm_text.script import Action, Command, ScriptModule, Value, parse_script

__all__ = [
    "Action",
    "Command",
    "ScriptModule",
    "SourceMap",
    "TextError",
    "Value",
    "assemble",
    "assemble_with_map",
    "format",
    "parse",
    "parse_script",
]
