"""A module's machine code: compiled function by function, shared by all instances."""

from __future__ import annotations

import ctypes
import weakref
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Set
from time import perf_counter

from wasm_core.errors import CompileError
from wasm_core.module import DecodedModule, ExternKind
from wasm_core.types import FuncType
from wasm_ir.backend import (
    CODE_ALIGNMENT,
    CompiledCode,
    supports_exceptions,
    supports_tail_calls,
    supports_vectors,
)
from wasm_ir.frontend_options import FrontendOptions
from wasm_ir.vmcontext import ContextLayout
from wasmetal.code import signals
from wasmetal.code.arena import arena
from wasmetal.code.cache import ModuleCache
from wasmetal.code.code_file import (
    BODIES_VALID,
    TABLE_UNWRITTEN,
    UNWRITTEN_TABLES,
    decode_code,
    encode_code,
)
from wasmetal.code.collector import paused
from wasmetal.compiled.template import Template
from wasmetal.system.hold import FREE_THREADED, Turns, serialized, unserialized
from wasmetal.system.lifetime import anchor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wasm_core.body_facts import BodyFacts
    from wasm_core.names import NameSection
    from wasm_ir.backend import Backend
    from wasm_ir.ir import Function
    from wasm_text import SourceMap
    from wasmetal.compiled.listener import FunctionDefinition, Listener
    from wasmetal.compiled.settings import Settings
    from wasmetal.glue.glue import Glue


def frontend_options(
    config: Settings, backend: Backend, explicit_bounds: bool, listener: Listener | None
) -> FrontendOptions:
    """How a module's functions are translated."""
    return FrontendOptions(
        explicit_bounds=explicit_bounds,
        listener=listener is not None,
        deterministic=config.relaxed_simd == "deterministic",
        vectors=supports_vectors(backend),
        exceptions=supports_exceptions(backend),
        tail_calls=supports_tail_calls(backend),
        fuel=config.fuel,
    )


@serialized
class CompiledModule:
    """Code of a module for one configuration, and what all instances have in common.

    Its code memory is given back when the last module and the last instance that use it are gone.
    """

    __slots__ = (
        "__weakref__",
        "_cache",
        "_code_starts",
        "_definitions",
        "_entry",
        "_entry_words",
        "_explicit",
        "_export_names",
        "_facts",
        "_finished",
        "_glue_anchor",
        "_names",
        "_options",
        "_placed",
        "_region",
        "_region_anchor",
        "_serialized",
        "_slots",
        "_template",
        "_turns",
        "backend",
        "config",
        "escaping",
        "explicit_bounds",
        "exports",
        "glue",
        "layout",
        "listener",
        "memory_plans",
        "module",
        "passes_functions",
        "source_map",
        "stubs",
    )

    def __init__(
        self,
        module: DecodedModule,
        config: Settings,
        backend: Backend,
        glue: Glue,
        listener: Listener | None,
        explicit_bounds: bool,
        cache: ModuleCache,
    ) -> None:
        """`module` must have been validated, but for its function bodies.

        What is in the cache is taken from there; if that is little, at once.
        """
        self.module = module
        self.config = config
        self.backend = backend
        self.glue = glue
        self._glue_anchor = anchor(glue)
        self.listener = listener
        self.explicit_bounds = explicit_bounds
        #: Where the instructions come from, of a module that was text.
        self.source_map: SourceMap | None = None
        self.exports = {export.name: (export.kind, export.index) for export in module.exports}
        self.layout = ContextLayout(module)
        #: Functions that have a FUNCREF, in the order of these.
        self.escaping = list(self.layout.funcref_slots)
        self._definitions: dict[int, FunctionDefinition] = {}
        #: Whether functions of this module can get references to functions as arguments or results.
        self.passes_functions = any(
            value_type.is_function_reference
            for func_type in module.types
            if isinstance(func_type, FuncType)
            for value_type in (*func_type.params, *func_type.results)
        )
        self.stubs = signals.install(backend, glue.make_stubs)
        self._options = frontend_options(config, backend, explicit_bounds, listener)
        self._turns = Turns()
        #: Whether all has been compiled because the configuration says so.
        self._finished = False
        self._facts: dict[int, BodyFacts] = {}
        #: Function index -> where its code is, and the tables from pcs to offsets in the module.
        self._placed: dict[int, tuple[int, CompiledCode]] = {}
        #: (address of the code, function index), ascending.
        self._code_starts: list[tuple[int, int]] = []
        self._names: NameSection | None = None
        self._export_names: dict[int, str] | None = None
        self._template: Template | None = None
        self._entry_words: tuple[bool, int, int] | None = None
        #: What `store` has reckoned of the memories, for instances to come.
        self.memory_plans: Any = None
        self._explicit: CompiledModule | None = None
        #: The module as bytes, when it has been pickled.
        self._serialized: bytes | None = None
        region = arena().region()
        self._region = region
        self._region_anchor = anchor(region)
        #: What is kept of the module, and of this way to compile it.
        self._cache = cache
        self._entry = cache.entry(self._options)
        weakref.finalize(self, self._entry.save)
        # Slots of imported functions would never be used: the array starts that much earlier.
        own = len(module.body_starts)
        self._slots = 0
        if own:
            address = region.data(8 * own)
            _fill(address, array("Q", (self.stubs.lazy_slot,)) * own)
            self._slots = address - 8 * module.imported_functions
        if self._entry.is_small:
            self._install([(index, made) for index in self._entry.found() if (made := self._load(index)) is not None])

    def save(self) -> bool:
        """Write what is new to the cache; whether that worked. Happens by itself when the module goes."""
        return self._entry.save()

    def serialize(self, progress: Callable[[int, int], None] | None = None) -> bytes:
        """The module with the code of all its functions, see `precompiled`. Raises CompileError."""
        from wasmetal.compiled.precompiled import compile_all, serialize

        made = {index: code for index in self._own() if (code := self._made(index)) is not None}
        features = self.config.features
        blobs = compile_all(self.module, features, self.backend, self._options, progress, made, self.layout)
        return serialize(self.module.source, features, self.backend, self._options, blobs)

    def serialized(self) -> bytes:
        """As `serialize`, of a module that `is_complete`: made once."""
        content = self._serialized
        if content is None:
            content = self._serialized = self.serialize()
        return content

    @property
    def is_complete(self) -> bool:
        """Whether there is code of all functions, so that nothing is left to compile."""
        own = len(self.module.body_starts)
        return len(self._placed) >= own or len(self._placed.keys() | self._entry.found()) >= own

    def _own(self) -> range:
        """The functions that the module defines."""
        return range(self.module.imported_functions, len(self.module.function_types))

    def _made(self, index: int) -> CompiledCode | None:
        """The code of a function that was compiled, in this process or another."""
        placed = self._placed.get(index)
        return self._load(index) if placed is None else placed[1]

    def with_explicit_bounds(self) -> CompiledModule:
        """The same module compiled for memories without guard pages."""
        if self.explicit_bounds:
            return self
        with self._turns.wait():
            explicit = self._explicit
            if explicit is None:
                explicit = self._explicit = CompiledModule(
                    self.module, self.config, self.backend, self.glue, self.listener, True, self._cache
                )
                explicit.source_map = self.source_map
        explicit.finish()
        return explicit

    # Names.

    @property
    def names(self) -> NameSection:
        """What the name section says."""
        if self._names is None:
            from wasm_core.names import NameSection

            self._names = NameSection.of(self.module)
        return self._names

    def export_name(self, index: int) -> str | None:
        """The first name under which function `index` is exported."""
        if self._export_names is None:
            names: dict[int, str] = {}
            for export in self.module.exports:
                if export.kind is ExternKind.FUNC:
                    names.setdefault(export.index, export.name)
            self._export_names = names
        return self._export_names.get(index)

    def function_name(self, index: int) -> str | None:
        """Name of function `index` from the name section or an export."""
        return self.function_names({index}).get(index)

    def function_names(self, indices: Set[int]) -> dict[int, str]:
        """Names of some functions from the name section or exports; those that have none are left out."""
        found = self.names.names_of(indices)
        for index in indices - found.keys():
            name = self.export_name(index)
            if name is not None:
                found[index] = name
        return found

    def definition(self, index: int) -> FunctionDefinition:
        """What listeners are told about function `index`."""
        made = self._definitions.get(index)
        if made is None:
            from wasmetal.compiled.listener import FunctionDefinition

            made = FunctionDefinition(
                index, self.function_name(index), self.names.module_name, self.module.func_type(index)
            )
            self._definitions[index] = made
        return made

    # Compiling.

    def finish(self) -> None:
        """Validate and compile what the configuration says. Cheap when that has been done.

        Raises:
            MalformedError, InvalidError: The module is not valid.
            CompileError, MemoryError: As `compile_all`.
        """
        if self.config.validation == "eager" and not self._entry.flags & BODIES_VALID:
            with self._turns.wait():
                if not self._entry.flags & BODIES_VALID:
                    self._entry.learn(BODIES_VALID | self.validate_all())
        self.layout.unwritten_tables = self._entry.flags // TABLE_UNWRITTEN
        if self._entry.flags & BODIES_VALID:
            self.layout.valid_under = self.config.features
        if self.config.compile == "eager" and not self._finished:
            self.compile_all()
            self._finished = True

    @unserialized
    def validate_all(self) -> int:
        """Validate every function body.

        Returns:
            TABLE_UNWRITTEN for tables that no body writes.

        Raises:
            MalformedError, InvalidError: One is not valid.
        """
        from wasmetal.compiled.bodies import validate_bodies

        facts, unwritten = validate_bodies(self.module, self.config.features)
        self._facts.update(facts)
        return (unwritten & (1 << UNWRITTEN_TABLES) - 1) * TABLE_UNWRITTEN

    @unserialized
    def compile_all(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Compile every function.

        Args:
            progress: Called after each function with how many are done, and of how many.

        Raises:
            CompileError: A function is malformed or invalid, or needs what the compiler does not have.
            MemoryError: There is no room for the code.
        """
        first = self.module.imported_functions
        total = len(self.module.function_types)
        for index in range(first, total):
            self.compile(index)
            if progress is not None:
                progress(index - first + 1, total - first)

    @unserialized
    def translate(self, index: int) -> Function:
        """The IR of function `index`, validated and not yet optimised. Raises CompileError."""
        # The compiler is imported by the first function that is in no cache.
        from wasm_core.body_validator import validate_body
        from wasm_ir.frontend import translate

        facts = self._facts.get(index)
        if facts is None:
            try:
                facts = validate_body(self.module, index, self.config.features)
            except CompileError as error:
                if self.source_map is not None:
                    self.source_map.explain(error)
                raise
        return translate(self.module, index, self.layout, facts, self._options)

    @unserialized
    def assemble(self, index: int) -> CompiledCode:
        """Machine code of function `index`, not placed anywhere. Raises CompileError."""
        return self.backend.compile(self.translate(index))

    def compile(self, index: int) -> int:
        """Make sure that function `index`, one of the module's own, is compiled.

        Returns:
            The address of its code: the entry for calls through funcrefs.

        Raises:
            CompileError: The function is malformed or invalid, or needs what the compiler does not have.
            MemoryError: There is no room for the code.
        """
        placed = self._placed.get(index)
        if placed is not None:
            return placed[0]
        with self._turns.wait():
            placed = self._placed.get(index)
            if placed is not None:
                return placed[0]
            made = self._load(index)
            if made is None:
                start = perf_counter()
                with paused():
                    made = self.assemble(index)
                self._facts.pop(index, None)
                if self._entry.writes:
                    self._entry.put(index, encode_code(made), perf_counter() - start)
            if index not in self._placed:  # a signal handler may have called it meanwhile
                self._install([(index, made)])
            return self._placed[index][0]

    def _load(self, index: int) -> CompiledCode | None:
        """The code of a function from the cache."""
        blob = self._entry.get(index) if index in self._own() else None
        return None if blob is None else decode_code(blob)[0]

    def _install(self, functions: list[tuple[int, CompiledCode]]) -> None:
        """Place functions, all in one piece, and let slots point to them."""
        if not functions:
            return
        offsets = []
        size = 0
        for _, made in functions:
            size = (size + CODE_ALIGNMENT - 1) & -CODE_ALIGNMENT
            offsets.append(size)
            size += len(made.code)
        start = self._region.reserve(size)
        image = bytearray(size)
        for (_, made), offset in zip(functions, offsets):
            code = bytearray(made.code)
            self.backend.relocate(code, start + offset, made.relocations, self._slots)
            image[offset : offset + len(code)] = code
        self._region.write(start, image)
        # From here on other threads may run it.
        for (index, made), offset in zip(functions, offsets):
            address = start + offset
            self._placed[index] = (address, made)
            insort(self._code_starts, (address, index))
            _fill(self._slots + 8 * index, array("Q", (address + made.entry,)))
            if self._template is not None:
                self._template.compiled(index, address)

    def resolve_slot(self, slot: int) -> int:
        """Compile the function whose slot is at address `slot`. Returns the entry for calls within the module."""
        index = (slot - self._slots) // 8
        entry = self.compile(index) + self._placed[index][1].entry
        # Should `_install` have been interrupted before it got there.
        _fill(slot, array("Q", (entry,)))
        return entry

    @property
    def template(self) -> Template:
        """What the VMContext of every instance starts as."""
        template = self._template
        if template is None:
            made = Template(self.module, self.layout, self.stubs, self.glue, self.config.initial_fuel)
            for index, (address, _) in list(self._placed.items()):
                made.compiled(index, address)
            # No call stands between these: all threads get the same one. It does not know what was compiled while it
            # was made; that is looked up when it is called.
            template = self._template
            if template is None:
                template = self._template = made
        return template

    @property
    def entry_words(self) -> tuple[bool, int, int]:
        """What a StoreContext has as `hold_gil`, `resolver` and `interrupted`."""
        words = self._entry_words
        if words is None:
            hold_gil = self.config.hold_gil and not FREE_THREADED
            words = self._entry_words = (hold_gil, self.glue.resolver, self.glue.interrupted)
        return words

    def is_compiled(self, index: int) -> bool:
        """Whether function `index` has been compiled."""
        return index in self._placed

    @property
    def code_bytes(self) -> int:
        """Bytes of code memory that the module holds."""
        return self._region.bytes_in_use

    def find(self, pc: int) -> list[tuple[int, int | None]]:
        """What a pc belongs to.

        Args:
            pc: Address of a faulting instruction, or a return address.

        Returns:
            Function index and offset of the WebAssembly instruction in the module (None if unknown); of an instruction
            of a function whose body stands in the place of a call, this and then the same of the call. Nothing when
            the pc is not in this module's code.
        """
        at = bisect_right(self._code_starts, (pc, len(self.module.function_types))) - 1
        if at < 0:
            return []
        address, index = self._code_starts[at]
        made = self._placed[index][1]
        offset = pc - address
        if offset > len(made.code):
            return []
        pcs = made.pcs
        at = bisect_left(pcs, offset)
        if at == len(pcs) or pcs[at] != offset:
            return [(index, None)]
        inner = made.wasm_offsets[at]
        if at + 1 == len(pcs) or pcs[at + 1] != offset:
            return [(index, inner or None)]
        own = bisect_right(self.module.body_starts, inner) - 1
        return [(self.module.imported_functions + own, inner), (index, made.wasm_offsets[at + 1])]


def _fill(address: int, words: array[int]) -> None:
    ctypes.memmove(address, words.buffer_info()[0], 8 * len(words))
