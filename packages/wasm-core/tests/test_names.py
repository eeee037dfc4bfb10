"""The name section: lookups, and that damage never is an error."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wasm_core import NameSection, decode


def contents(wasm: Any) -> bytes:
    def names(entries: dict[int, str]) -> bytes:
        return bytes(wasm.vector([wasm.unsigned(i) + wasm.sized(n.encode()) for i, n in entries.items()]))

    local_names = wasm.vector([wasm.unsigned(3) + names({0: "x", 2: "y"}), wasm.unsigned(200) + names({1: "z"})])
    return bytes(
        wasm.section(0, wasm.sized("módule".encode()))
        + wasm.section(1, names({0: "a", 3: "b", 200: "c"}))
        + wasm.section(2, local_names)
    )


def test_lookups(wasm: Any) -> None:
    section = NameSection.of(decode(wasm.module(wasm.custom("name", contents(wasm)))))
    assert section.module_name == "módule"
    assert section.function_names == {0: "a", 3: "b", 200: "c"}
    assert (section.function_name(3), section.function_name(4)) == ("b", None)
    assert section.local_names(3) == {0: "x", 2: "y"}
    assert section.local_names(200) == {1: "z"}
    assert section.local_names(4) == {}


def test_without_a_name_section(wasm: Any) -> None:
    section = NameSection.of(decode(wasm.module(wasm.custom("other", b"x"))))
    assert (section.module_name, section.function_names, section.local_names(0)) == (None, {}, {})


def test_what_comes_before_the_damage_is_used(wasm: Any) -> None:
    data = contents(wasm)
    cut = NameSection(data, 0, data.index(b"c") - 1)
    assert cut.function_names == {0: "a", 3: "b"}
    assert cut.local_names(3) == {}
    wrong = data.replace(b"a", b"\xff")
    assert NameSection(wrong, 0, len(wrong)).function_name(0) == "�"


@given(st.binary(max_size=60))
def test_nothing_raises(data: bytes) -> None:
    section = NameSection(data, 0, len(data))
    assert section.module_name is None or isinstance(section.module_name, str)
    assert all(len(name) <= len(data) for name in section.function_names.values())
    section.local_names(0)


def test_impossible_counts_cost_nothing(wasm: Any) -> None:
    huge = b"\xff\xff\xff\xff\x0f"
    data = wasm.section(1, huge) + wasm.section(2, huge + b"\x00" + huge)
    section = NameSection(data, 0, len(data))
    assert section.function_names == {}
    assert section.local_names(0) == {}


def test_corpus(corpus: dict[str, bytes]) -> None:
    named = {name: NameSection.of(decode(source)).function_names for name, source in corpus.items()}
    assert "_start" in named["ackermann"].values()


def test_later_subsections(wasm: Any) -> None:
    def names(*pairs: tuple[int, str]) -> bytes:
        return bytes(wasm.vector([wasm.unsigned(index) + wasm.sized(name.encode()) for index, name in pairs]))

    def nested(*pairs: tuple[int, bytes]) -> bytes:
        return bytes(wasm.vector([wasm.unsigned(index) + inner for index, inner in pairs]))

    content = b"".join(
        wasm.section(number, part)
        for number, part in [
            (3, nested((1, names((0, "outer"), (1, "inner"))))),
            *[(number, names((number, f"n{number}"))) for number in range(4, 10)],
            (10, nested((2, names((0, "x"), (1, "y"))), (5, names((0, "z"))))),
            (11, names((0, "oops"))),
        ]
    )
    section = NameSection.of(decode(wasm.module(wasm.custom("name", content))))
    assert section.label_names(1) == {0: "outer", 1: "inner"}
    assert section.label_names(0) == {}
    found = [
        *(section.type_names, section.table_names, section.memory_names),
        *(section.global_names, section.element_names, section.data_names),
    ]
    assert found == [{number: f"n{number}"} for number in range(4, 10)]
    assert section.field_names(2) == {0: "x", 1: "y"}
    assert section.field_names(5) == {0: "z"}
    assert section.tag_names == {0: "oops"}
    assert section.local_names(1) == {}
