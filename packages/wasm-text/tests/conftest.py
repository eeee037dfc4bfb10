"""Fixtures of the tests: the shared test data, and comparing binaries."""

from __future__ import annotations

import attrs
import pytest

from wasm_core import DecodedModule, Features, decode
from wasm_core.disassembler import disassemble, read_local_groups


class Binaries:
    """Looks at binaries."""

    #: Everything is on.
    features = Features(**{field.name: True for field in attrs.fields(Features)})

    def decode(self, binary: bytes) -> DecodedModule:
        return decode(binary, self.features)

    def sections(self, binary: bytes) -> list[tuple[int, bytes]]:
        """The sections of the standard."""
        pos = 8
        found = []
        while pos < len(binary):
            number = binary[pos]
            pos += 1
            size = shift = 0
            while True:
                byte = binary[pos]
                pos += 1
                size |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            if number:
                found.append((number, binary[pos : pos + size]))
            pos += size
        return found

    def difference(self, first: bytes, second: bytes) -> str:
        """How two binaries differ as modules: custom sections, the encoding of integers and the like aside."""
        if self.sections(first) == self.sections(second):
            return ""
        one, two = self.contents(first), self.contents(second)
        return "".join([f"{name}: {one[name]} and {two[name]}; " for name in one if one[name] != two[name]])

    def contents(self, binary: bytes) -> dict[str, object]:
        """What a module consists of. (The text format has no word for the data count section.)"""
        module = self.decode(binary)
        fields = ("types", "imports", "tables", "memories", "global_types", "tag_types", "exports", "start")
        found: dict[str, object] = {name: getattr(module, name) for name in fields}
        found["functions"] = list(module.function_types)
        for number in range(module.imported_functions, len(module.function_types)):
            groups, _ = read_local_groups(binary, *module.body(number))
            types = [code for size, code in groups for _ in range(size)]
            code = [(instruction.constant_name, more) for _, instruction, more in disassemble(module, number)]
            found[f"function {number}"] = (types, self._without_empty_else(code))
        found["globals"] = [item.init.instructions for item in module.globals]
        found["tables' elements"] = [init and init.instructions for init in module.table_inits]
        found["elements"] = [
            (
                item.mode,
                item.type,
                item.table,
                item.offset and item.offset.instructions,
                item.functions and list(item.functions),
                item.expressions and [expression.instructions for expression in item.expressions],
            )
            for item in module.elements
        ]
        found["data"] = [
            (item.mode, item.memory, item.offset and item.offset.instructions, binary[item.start : item.end])
            for item in module.data
        ]
        return found

    def _without_empty_else(self, code: list[tuple[str, tuple[int, ...]]]) -> list[tuple[str, tuple[int, ...]]]:
        # Some assemblers leave out (else) that has nothing in it.
        return [
            item
            for number, item in enumerate(code)
            if item[0] != "ELSE" or code[number + 1 : number + 2] != [("END", ())]
        ]


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return Binaries()
