"""Instantiation, and what makes up an instance (core specification, section "Instantiation").

`InstanceCore` is what functions, stores and other instances hold. It refers to nothing that Python code sees of it
(`Instance`, `Exports`, its functions), so an instance goes with the last reference to these, without the garbage
collector.
"""

from __future__ import annotations

import ctypes
import weakref
from array import array
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from wasm_core.errors import MemoryAccess, Trap, TrapCode, WasmError
from wasm_core.module import ExternKind
from wasm_core.types import TagType
from wasm_ir.vmcontext import CONTEXT, FUNCREF, GLOBAL_SIZE, SEGMENT, check_supported
from wasmetal.code import signals
from wasmetal.compiled.compiled_module import CompiledModule
from wasmetal.compiled.template import Constant, Template, evaluate
from wasmetal.glue import ticker
from wasmetal.glue.ticker import ContextLink
from wasmetal.store import callers
from wasmetal.store.functions import FuncHandle, WasmFunction, call_function, functions, wasm_function
from wasmetal.store.global_cells import GlobalCell
from wasmetal.store.groups import Group, Grouped, are_united, unite
from wasmetal.store.linear_memory import LinearMemory, MemoryHandle, MemoryPlan
from wasmetal.store.linking import Imports, resolve
from wasmetal.store.sharing import Shared, add_importer, close_handles
from wasmetal.store.store import Store, merge
from wasmetal.store.tables import Quota, TableStorage
from wasmetal.system.address_space import copy
from wasmetal.system.hold import exclusive, serialized
from wasmetal.system.lifetime import Census

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from wasm_core.defined_types import DefinedType
    from wasm_core.module import DecodedModule
    from wasmetal.store.members import Instance
    from wasmetal.store.memory_image import MemoryImage
    from wasmetal.store.resting import RestingParts, RestingPlan
    from wasmetal.store.tags import Tag

#: Most memories that an instance can have: binaries of a few bytes would else take any amount of address space.
#: Browsers have the same limit.
MAX_MEMORIES: Final = 100

#: Of modules that import nothing.
_NO_IMPORTS: Final = Imports()

#: Fewer bytes of data are copied sooner than pages of them are mapped.
_LEAST_IMAGE: Final = 1 << 16

#: Words of a VMContext that is not large, whatever is in it.
_LEAST_RESTING: Final = 1 << 11

#: Bits of an address, by whether it has 64.
_MASKS: Final = (0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
_MEMORY_BASE: Final = CONTEXT["memory_base"] // 8
_CODE: Final = FUNCREF["code"]
_GLOBAL_WORDS: Final = GLOBAL_SIZE // 8
_SEGMENT_LENGTH: Final = SEGMENT["length"] // 8


@serialized
def instance_at(context: int) -> InstanceCore:
    """The instance whose VMContext is at `context`.

    Raises:
        WasmError: It is being destroyed (a finalizer in the same garbage calls it).
    """
    instance: InstanceCore | None = ticker.instance_at(context)
    if instance is None:
        raise WasmError("the instance is being destroyed")
    return instance


@serialized
class InstanceCore:
    """An instance: its VMContext and what that points to."""

    __slots__ = (
        "__weakref__",
        "_keep",
        "_ticket",
        "cells",
        "closed",
        "code",
        "context",
        "exports_handle",
        "functions",
        "group",
        "instance_handle",
        "life",
        "link",
        "memories",
        "module",
        "resting",
        "segments",
        "store",
        "tables",
        "tags",
        "words",
    )

    #: The store; replaced when stores are merged.
    store: Store

    def __init__(self, module: object, census: Census, code: CompiledModule, imports: Imports) -> None:
        """Allocate everything, without running any code and without writing to anything that is imported.

        Raises:
            MemoryError: There is no room.
            WasmError: A memory, a table or the number of instances is over the limits of the configuration.
            LinkError: The imports belong to several stores that are running.
        """
        self.module = module
        decoded = code.module
        config = code.config
        if len(census) >= config.max_instances:
            raise WasmError(f"an engine with {config.max_instances} instances is at its limit")
        if _leaving:
            _let_go()
        self._ticket = census.ticket
        self.closed = False
        #: See `store.Members`.
        self.life = object()
        self.group: Group | None = None
        #: What lets the ticker interrupt our code.
        self.link: ContextLink | None = None
        #: What Python sees of it, while there is anything.
        self.exports_handle: weakref.ref[Any] | None = None
        self.instance_handle: weakref.ref[Any] | None = None
        #: Imported functions, and every memory, table and tag, imported ones first.
        self.functions: Sequence[FuncHandle] = imports.functions
        self.memories: Sequence[LinearMemory] = imports.memories
        self.tables: Sequence[TableStorage] = imports.tables
        self.tags: Sequence[Tag] = imports.tags
        linked = bool(decoded.imports)
        if decoded.memories:
            signals.install(code.backend, code.glue.make_stubs)
            self.memories = [*imports.memories, *[LinearMemory(plan) for plan in _memory_plans(code)]]
            for memory in self.memories:
                if not memory.guarded:
                    code = code.with_explicit_bounds()
        self.code = code
        if linked:
            # (what it defines is not in these lists yet)
            shared: list[Shared] = [*imports.memories, *imports.tables, *imports.cells]
            if shared:
                add_importer(shared, self)
        if len(decoded.tag_types) > decoded.imported_tags:
            self.tags = [*imports.tags, *_own_tags(decoded)]
        #: What is not always there of it.
        self.resting: RestingParts | None = None
        self.words: array[int]
        #: Address of the VMContext.
        self.context: int
        plan = _resting_plan(code)
        if plan is not None:
            try:
                self.resting = resting = plan.parts()
            except OSError as error:
                raise MemoryError(f"no room for an instance: {error}") from error
            self.words, self.context = resting.words, resting.context
        else:
            self.words = code.template.context_words()
            self.context = self.words.buffer_info()[0]
        #: The references of passive element segments.
        self.segments: Sequence[array[int]] = ()
        #: Global index -> its cell: imported ones, those of reference types, and others as they are asked for.
        self.cells: dict[int, GlobalCell] = {}
        #: Instances that we need besides what we have of them.
        self._keep: Sequence[Instance] = ()
        if not linked:
            # Nobody else knows the store yet.
            store = Store()
            store.activate(code)
            store.adopt(self)
            self._fill(imports)
            return
        # A function forgets its instance when that is closed, but we go on calling it: hold the instance too.
        others = [function._core.instance for function in self.functions if not function._core.is_host]
        self._keep = others
        self._join_store(imports, others)
        # Other threads may be working with the store.
        with self.store.use():
            self.cells.update(enumerate(imports.cells))
            self._join_group(imports, others)
            self._fill_imports(imports)
            self._fill(imports)

    def _fill_imports(self, imports: Imports) -> None:
        """Let the VMContext refer to what is imported, but for memories, tables and tags."""
        layout = self.code.layout
        words = self.words
        at = layout.globals // 8
        for cell in imports.cells:
            words[at] = cell.address
            at += _GLOBAL_WORDS
        at = layout.imports // 8
        for function in self.functions:
            words[at] = function._funcref
            at += 1

    def _fill(self, imports: Imports) -> None:
        """Make tables, and set up the rest of the VMContext."""
        code = self.code
        decoded = code.module
        layout = code.layout
        template = code.template
        words = self.words
        if len(decoded.tables) > decoded.imported_tables:
            quota = Quota(code.config.max_table_elements)
            alone = not decoded.imports
            resting = self.resting
            later = () if resting is None else resting.private_tables
            self.tables = [
                *imports.tables,
                *[
                    TableStorage(table_type, quota, self.store, alone=alone, made=index not in later)
                    for index, table_type in enumerate(
                        decoded.tables[decoded.imported_tables :], decoded.imported_tables
                    )
                ],
            ]
            if resting is not None:
                resting.add_tables([(index, self.tables[index].elements) for index in later])
                if not self.store.rests:
                    resting.fill()
        if self.memories:
            at = layout.memories // 8
            for memory in self.memories:
                words[at] = memory._struct
                at += 1
            words[_MEMORY_BASE] = self.memories[0]._base
        if self.tables:
            at = layout.tables // 8
            for table in self.tables:
                words[at] = table.address
                at += 1
        if self.tags:
            at = layout.tags // 8
            for tag in self.tags:
                words[at] = tag.address
                at += 1
        for at, constant in template.globals:
            bits = self._evaluate(constant)
            words[at] = bits & 0xFFFF_FFFF_FFFF_FFFF
            words[at + 1] = bits >> 64
        for index in template.reference_globals:
            self.cell(index)
        for index, constant in template.table_inits:
            self.tables[index].fill(self._evaluate(constant))
        if template.passive_elements:
            segments = []
            for at, plan in template.passive_elements:
                segment = self._references(plan.words(self.context), plan.others)
                segments.append(segment)
                words[at] = segment.buffer_info()[0]
                words[at + _SEGMENT_LENGTH] = plan.count
            self.segments = segments

    def _join_store(self, imports: Imports, others: list[Instance]) -> None:
        # Another thread may be merging stores.
        with exclusive():
            store: Store | None = None
            stores = [other.store for other in others]
            stores += [table.store for table in imports.tables]
            stores += [cell.store for cell in imports.cells if cell.store is not None]
            for other in stores:
                store = other if store is None else merge(store, other)
            if store is None:
                store = Store()
            store.activate(self.code)
            store.adopt(self)

    def _join_group(self, imports: Imports, others: list[Instance]) -> None:
        """Live with everybody who may get hold of our functions, or we of his."""
        shared: list[Grouped] = [table for table in imports.tables if table.type.element.is_function_reference]
        shared += [cell for cell in imports.cells if cell.type.value_type.is_function_reference]
        partners = list(imports.owners)
        if self.code.passes_functions:
            partners += [other for other in others if other.code.passes_functions]
        if shared or partners:
            unite([self, *partners], shared)

    def live_with(self, other: Instance) -> None:
        """Let this instance and another keep each other alive from now on."""
        if other is not self and not are_united(self, other):
            unite([self, other], [])

    # Initial values.

    def _evaluate(self, constant: Constant) -> int:
        """The bits of a constant expression, or an integer with these bits."""
        return evaluate(constant, self._global_bits, self.funcref)

    def _global_bits(self, index: int) -> int:
        return self.cell(index).bits

    def _references(self, words: array[int], others: tuple[tuple[int, Constant], ...]) -> array[int]:
        for number, constant in others:
            words[number] = self._evaluate(constant)
        return words

    def initialize(self) -> None:
        """Write the active segments, in order, and call the start function.

        What was written stays when a later step fails.

        Raises:
            Trap: A segment does not fit, or the start function trapped.
        """
        template = self.code.template
        if template.active_elements:
            if self.code.module.imports:
                with self.store.use():
                    self._write_elements()
            else:
                self._write_elements()
        imported = self.code.module.imported_memories
        for number, data in enumerate(template.data):
            memory = self.memories[data.memory]
            image = memory.image
            # (an imported one may begin with the image of another module)
            if image is not None and number in image.segments and data.memory >= imported:
                continue
            start = data.at
            if start is None:
                start = self._evaluate(data.offset) & _MASKS[memory.type.is64]
            count = data.count
            size = memory.size
            if start + count > size:
                raise Trap(TrapCode.MEMORY_OUT_OF_BOUNDS, access=MemoryAccess(start, count, size))
            copy(memory._base + start, data.address, count)
        index = self.code.module.start
        if index is not None:
            call_function(self.function(index), ())

    def _write_elements(self) -> None:
        resting = self.resting
        for element in self.code.template.active_elements:
            if resting is not None and element.table in resting.private_tables:
                continue
            table = self.tables[element.table].words
            start = element.at
            if start is None:
                start = self._evaluate(element.offset) & _MASKS[self.tables[element.table].type.is64]
            if start + element.count > len(table):
                raise Trap(TrapCode.TABLE_OUT_OF_BOUNDS)
            # Same length: the elements stay where they are.
            table[start : start + element.count] = self._references(element.words(self.context), element.others)

    # Functions.

    def has_funcref(self, address: int) -> bool:
        """Whether there is a FUNCREF of ours at `address`."""
        offset = address - self.context - self.code.layout.funcrefs
        return 0 <= offset < FUNCREF.size * len(self.code.escaping) and offset % FUNCREF.size == 0

    def funcref(self, index: int) -> int:
        """Address of the FUNCREF of a function that can be referred to."""
        if index < len(self.functions):
            return self.functions[index]._funcref
        return self.context + self.code.layout.funcref(index)

    def function_at(self, address: int) -> FuncHandle:
        """A function of the module's own, by the address of its FUNCREF: the same object as long as it is alive."""
        found = functions.get(address)
        if found is None:
            index = self.function_index(address)
            if self.resting is not None and self.code.layout.funcref_slots[index] >= self.code.layout.named_funcrefs:
                self.store.keep_stack()  # and the FUNCREF
            name = self.code.export_name(index) or self.code.function_name(index)
            func_type = self.code.module.func_type(index)
            made = wasm_function(func_type, name, address, self, self.code.glue)
            found = functions.add(made, self.code.glue.slow_entry)
        return found

    def function_index(self, address: int) -> int:
        """The index of the function whose FUNCREF, one of ours, is at `address`."""
        return self.code.escaping[(address - self.context - self.code.layout.funcrefs) // FUNCREF.size]

    def defined_type(self, address: int) -> DefinedType:
        """What the type of a function of the module's own is to the process, by the address of its FUNCREF."""
        module = self.code.module
        return module.defined_type(module.function_types[self.function_index(address)])

    def function(self, index: int) -> FuncHandle:
        """A function that can be referred to, imported or not."""
        if index < len(self.functions):
            return self.functions[index]
        return self.function_at(self.context + self.code.layout.funcref(index))

    def resolve_funcref(self, address: int) -> int:
        """Compile the function of a FUNCREF of ours. Returns the address of the code."""
        code = self.code.compile(self.function_index(address))
        ctypes.c_uint64.from_address(address + _CODE).value = code
        return code

    # Exports.

    def cell(self, index: int) -> GlobalCell:
        """The cell of global `index`."""
        found = self.cells.get(index)
        if found is None:
            global_type = self.code.module.global_types[index]
            address = self.context + self.code.layout.globals + GLOBAL_SIZE * index
            store = self.store if global_type.value_type.is_reference else None
            found = self.cells[index] = GlobalCell(global_type, self.words, address, store)
        return found

    def exported(self, kind: ExternKind, index: int) -> object:
        """What Python sees of an item of an index space."""
        if kind is ExternKind.FUNC:
            return self.function(index)
        if kind is ExternKind.TABLE:
            return self.tables[index].as_table(self)
        if kind is ExternKind.MEMORY:
            return self.memories[index].as_memory()
        if kind is ExternKind.TAG:
            return self.tags[index]
        return self.cell(index).as_global(self)

    @property
    def memory0(self) -> MemoryHandle | None:
        """Memory 0, exported or not, as Python sees it. Raises WasmError when the instance is closed."""
        if self.closed:
            raise WasmError("the instance is closed")
        return self.memories[0].as_memory() if self.memories else None


def _resting_plan(code: CompiledModule) -> RestingPlan | None:
    """What of the VMContext of one more instance is not always there. Of the first ones all is: most programs have no
    others, and need not import what it takes."""
    template = code.template
    found: RestingPlan | None = template.resting
    if found is None and template.whole:
        template.whole -= 1
        if not template.whole and len(template.words) > _LEAST_RESTING:
            from wasmetal.store.resting import resting_plan

            template.resting = found = resting_plan(code.module, code.layout, template)
    return found


def _memory_plans(code: CompiledModule) -> Sequence[MemoryPlan]:
    """The memories that instances of a module define."""
    plans: Sequence[MemoryPlan] | None = code.memory_plans
    if plans is None:
        module, config = code.module, code.config
        if len(module.memories) > MAX_MEMORIES:
            raise WasmError(f"a module with {len(module.memories)} memories is over the limit of {MAX_MEMORIES}")
        plans = []
        for index in range(module.imported_memories, len(module.memories)):
            plan = MemoryPlan(module.memories[index], config.max_memory_pages, config.bounds_checks)
            size = sum([data.count for data in code.template.data if data.memory == index])
            if size:
                little = size < _LEAST_IMAGE
                least = 0 if little else _LEAST_IMAGE
                plan.begin_with(partial(_make_image, code.module, code.template, index, least), little=little)
            plans.append(plan)
        code.memory_plans = plans
    return plans


def _make_image(module: DecodedModule, template: Template, memory: int, least: int) -> MemoryImage | None:
    from wasmetal.store.memory_image import make_image

    return make_image(module, template, memory, least)


def _own_tags(module: DecodedModule) -> list[Tag]:
    from wasmetal.store.tags import Tag

    found = []
    for index in range(module.imported_tags, len(module.tag_types)):
        tag_type = module.extern_type(ExternKind.TAG, index)
        assert isinstance(tag_type, TagType)
        found.append(Tag.of_module(tag_type.type, module.defined_type(module.tag_types[index])))
    return found


@serialized
def instantiate(module: object, census: Census, code: CompiledModule, imports: object) -> InstanceCore:
    """Make an instance of a module.

    Raises:
        LinkError: An import is missing or has the wrong type.
        Trap: A segment does not fit, or the start function trapped.
        MemoryError, WasmError: There is no room, or a limit is exceeded.
        Unsupported: The module needs what cannot be run yet.
    """
    decoded = code.module
    if decoded.memories and code.memory_plans is None:
        check_supported(decoded)
    found = resolve(code, imports) if decoded.imports else _NO_IMPORTS
    instance = InstanceCore(module, census, code, found)
    for tell in found.to_tell:
        tell(callers.caller_class(instance))
    instance.initialize()
    return instance


#: Functions of closed instances that were running then, and have not let go of them.
_leaving: Final[deque[weakref.ref[WasmFunction]]] = deque()


@serialized
def _let_go() -> None:
    """Free the closed instances that run no longer."""
    for _ in range(len(_leaving)):
        with suppress(IndexError):  # another thread does the same
            reference = _leaving.popleft()
            function = reference()
            if function is not None and not function.let_go():
                _leaving.append(reference)


@serialized
def detach(instance: InstanceCore) -> None:
    """Make the functions of an instance refuse to run, and let go of it, where Python holds them.

    What other instances import goes on working for them. May be called again, should it have been interrupted.
    """
    instance.closed = True
    _let_go()
    first = instance.context + instance.code.layout.funcrefs
    addresses = [first + FUNCREF.size * number for number in range(len(instance.code.escaping))]
    found = [function for address in addresses if (function := functions.get(address)) is not None]
    for function in found:
        assert isinstance(function._core, WasmFunction)
        function._entry = function._core.glue.slow_entry
    # From here on no call begins: only one that has begun can still need the instance. It has either made the store
    # run, or holds the instance itself.
    for function in found:
        # Another instance may come to lie at this address while somebody still has the function.
        functions.remove(function._funcref)
        core = function._core
        assert isinstance(core, WasmFunction)
        if not core.let_go():
            _leaving.append(weakref.ref(core))
    module = instance.code.module
    cells = list(instance.cells.items())
    imported: list[Shared] = [
        *instance.memories[: module.imported_memories],
        *instance.tables[: module.imported_tables],
        *[cell for index, cell in cells if index < module.imported_globals],
    ]
    defined: list[Shared] = [
        *instance.memories[module.imported_memories :],
        *instance.tables[module.imported_tables :],
        *[cell for index, cell in cells if index >= module.imported_globals],
    ]
    close_handles(imported, defined=False)
    close_handles(defined, defined=True)
