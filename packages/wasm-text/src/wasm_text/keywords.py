"""The words of the text format that are not instructions."""

from __future__ import annotations

import functools
from typing import Final

from wasm_core.instructions import by_name
from wasm_text.numbers import is_number

#: Words with a place of their own in the grammar of modules and scripts.
_WORDS: Final = """
    module type rec sub final func param result local struct field array mut i8 i16
    i32 i64 f32 f64 v128 i8x16 i16x8 i32x4 i64x2 f32x4 f64x2 ref null any eq i31 none extern noextern nofunc exn noexn
    anyref eqref i31ref structref arrayref funcref externref exnref nullref nullfuncref nullexternref nullexnref
    import export start table memory global tag elem data declare offset item shared pagesize
    then do binary quote definition instance script register invoke get either nan:canonical nan:arithmetic
    ref.extern ref.host catch_ref catch_all_ref ref.any ref.i31 ref.struct ref.array ref.exn ref.null ref.func
    assert_return assert_trap assert_exception assert_malformed assert_invalid assert_unlinkable assert_exhaustion
    assert_uninstantiable assert_malformed_custom assert_invalid_custom input output
"""


@functools.cache
def keywords() -> frozenset[str]:
    """Every keyword, instructions included."""
    return frozenset(_WORDS.split()).union(by_name())


def is_token(word: str) -> bool:
    """Whether a word that starts with a letter, a digit or a sign is a token: a keyword or a number."""
    if word in keywords() or is_number(word):
        return True
    option, _, value = word.partition("=")
    return option in ("offset", "align") and is_number(value) and value[0] not in "+-"
