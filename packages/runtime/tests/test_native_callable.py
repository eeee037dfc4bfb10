"""Objects that are called through machine code, and what is assumed about CPython's objects."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
import textwrap
import weakref

import pytest
from systems import windows

from wasmetal.code.arena import arena
from wasmetal.cpython import layouts
from wasmetal.cpython.native_callable import NativeCallable, inherit_vectorcall
from wasmetal.system.hold import FREE_THREADED

amd64 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the code in this test is x86-64")


class Callable(NativeCallable):
    __slots__ = ("__weakref__", "keep", "name")

    keep: object
    name: str


inherit_vectorcall(Callable)

region = arena().region()


def call_api(name: str) -> bytes:
    """mov rax, address; jmp rax"""
    return b"\x48\xb8" + layouts.api(name).to_bytes(8, "little") + b"\xff\xe0"


@amd64
def test_calls_reach_the_code() -> None:
    count = Callable()
    # PyLong_FromSsize_t(nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET): shl rdx, 1; shr rdx, 1; mov rdi, rdx
    without_flag = b"\x48\xd1\xe2\x48\xd1\xea\x48\x89\xd7"
    if windows:  # shl r8, 1; shr r8, 1; mov rcx, r8
        without_flag = b"\x49\xd1\xe0\x49\xd1\xe8\x4c\x89\xc1"
    count._entry = region.place(without_flag + call_api("PyLong_FromSsize_t"))
    assert [count(), count(1), count(None, None)] == [0, 1, 2]
    arguments = tuple(range(20))
    assert count(*arguments) == 20
    assert list(map(count, [1, 2])) == [1, 1]


@amd64
def test_fields_are_where_code_looks_for_them() -> None:
    target = Callable()
    # PyLong_FromUnsignedLongLong(self->_funcref): mov rdi, [rdi + HEAD + 8], or the same with rcx
    load = (b"\x48\x8b\x49" if windows else b"\x48\x8b\x7f") + bytes([layouts.HEAD + 8])
    target._entry = region.place(load + call_api("PyLong_FromUnsignedLongLong"))
    target._funcref = 0xFFFF_FFFF_FFFF_FFFE
    target._slow = 5
    assert target() == 0xFFFF_FFFF_FFFF_FFFE


def test_without_code_a_call_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Callable()()


def test_instances_are_ordinary_objects() -> None:
    target = Callable()
    target.name = "x"
    target.keep = target  # a cycle: collected
    reference = weakref.ref(target)
    before = sys.getrefcount(Callable)
    del target
    import gc

    gc.collect()
    assert reference() is None
    # (without a GIL types are not counted exactly)
    assert FREE_THREADED or sys.getrefcount(Callable) == before - 1
    assert isinstance(Callable(), NativeCallable)
    with pytest.raises((OverflowError, ValueError, TypeError)):
        Callable()._entry = "no"  # type: ignore[assignment]


def test_calls_go_by_vectorcall() -> None:
    assert Callable.__flags__ & (1 << 11)


def test_subclasses_may_override_call() -> None:
    class Python(Callable):
        def __call__(self, *args: object) -> int:
            return len(args)

    assert Python()(1, 2, 3) == 3


def test_layouts_of_this_interpreter_are_known() -> None:
    assert (layouts.INT_LV_TAG if sys.version_info >= (3, 12) else layouts.INT_OB_SIZE) == layouts.INT_LAYOUT
    assert layouts.FLOAT_VALUE == layouts.HEAD


def test_tuple_items() -> None:
    item = object()
    made = (None, item)
    assert ctypes.c_void_p.from_address(id(made) + layouts.TUPLE_ITEMS + 8).value == id(item)


@pytest.mark.parametrize("layout", ["INT_OB_SIZE", "INT_LV_TAG"])
def test_the_check_of_the_int_layout_can_fail(layout: str) -> None:
    number = getattr(layouts, layout)
    if number == layouts.INT_LAYOUT:
        pytest.skip("the layout of this interpreter")
    assert any(layouts.decode_compact_int(number, value) != value for value in (0, 1, -1, 256, -5))


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="those of this version are supported")
def test_an_old_build_without_the_gil_is_refused() -> None:
    program = """
        sys.version += " free-threading build"
        import os
        os.uname = lambda: ("Linux", "", "", "", "x86_64")
        try:
            import wasmetal.cpython.layouts
        except Exception as error:
            print(type(error).__name__, error)
    """
    path = [entry for entry in sys.path if entry]
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n" + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.startswith("WasmError wasmetal supports free-threaded builds of CPython from"), result.stderr
