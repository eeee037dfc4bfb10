"""Every row of vector instructions in every form that the row allows, executed: they all give the same result.

A form that encodes its operands in another order, or forgets to bring one to its place, gives another.
"""

from __future__ import annotations

import ctypes
import mmap
import random
import sys
from collections.abc import Iterator

import pytest

from wasm_backend_amd64 import Amd64Backend, cpu
from wasm_backend_amd64 import encodings as enc
from wasm_backend_amd64 import vector_encodings as vec
from wasm_backend_amd64.control_instructions import RETURN
from wasm_backend_amd64.encodings import COMMUTATIVE, RM_FIRST, Encoding, VexEncoding, vex
from wasm_backend_amd64.forms import on_constant, on_memory, on_registers
from wasm_backend_amd64.instructions import FLOAT_CONSTANT
from wasm_backend_amd64.operands import pack_address, pack_value
from wasm_backend_amd64.registers import RAX, RCX, RDI, RSI, XMM0
from wasm_backend_amd64.target import Amd64Target
from wasm_ir import opcodes, types
from wasm_ir.codegen.emission import Emitter, emit
from wasm_ir.codegen.frame import Frame
from wasm_ir.codegen.machinst import MBlock, MFunction, MInst, MOp, spill_slot
from wasm_ir.codegen.parallel_move import MOVE
from wasm_ir.ir import ABI_C, Function, Inst, Signature

pytestmark = pytest.mark.skipif(
    not Amd64Backend.host_support().supported or sys.platform == "win32",
    reason="needs x86-64, and arguments where System V has them",
)

#: The result, both sources, the second one's double that is a third source, and where the second one is spilled.
D, A, B, C = XMM0 + 3, XMM0 + 1, XMM0 + 9, XMM0 + 10
SLOT = spill_slot(0)
#: Rows with an operand that is an integer register: which one.
INTEGER_OPERANDS = {"PINSRB": 1, "PINSRW": 1, "PINSRD": 1, "PINSRQ": 1}
INTEGER_OPERANDS |= dict.fromkeys(("PEXTRB", "PEXTRW", "PEXTRD", "PEXTRQ", "PMOVMSKB", "MOVMSKPS", "MOVMSKPD"), 0)
IMM = 5
MEMORY_ALONE = ("MOVDQU_MR", "MOVLPS_RM", "MOVHPS_RM", "MOVHPS_MR", "VBROADCASTSS_RM")
ROWS = {name: row for name, row in vars(vec).items() if isinstance(row, Encoding) and row.operands != "rr"}
#: Offsets from rdi: the sources, the result.
AT_A, AT_B, AT_RESULT = 0, 16, 32

_LOAD, _STORE = on_memory(vec.MOVDQU_RM), on_memory(vec.MOVDQU_MR)
_STORE64, _LOAD64 = on_memory(enc.MOV_MR64), on_memory(enc.MOV_RM64)


class Case:
    """One instruction in one form."""

    def __init__(self, label: str, inst: MInst, result: int, before: tuple[MInst, ...] = ()) -> None:
        self.label = label
        self.insts = [*before, inst]
        #: The register that has the result, or -1 when it is in memory.
        self.result = result


def cases(name: str, row: Encoding, second: int) -> Iterator[Case]:
    """All forms of a row, that on registers first. `second`: the bits of the second source."""
    operands = row.operands
    place = INTEGER_OPERANDS.get(name, -1)
    result = RAX if place == 0 else D
    source = RSI if place == 1 else B
    imm = IMM if operands[-1] == "i" else 0
    to_memory = row.flags & RM_FIRST != 0
    if operands in ("mi", "Vri"):
        yield Case("registers", MInst(on_registers(row), [result], [A], imm), result)
        yield Case("in place", MInst(on_registers(row), [A], [A], imm), A)
        return
    before = [A] if operands[0] == "m" or "v" in operands else []
    if operands == "mvr":
        before.append(C)
    after = [C] if operands[-1] == "k" else []
    if name not in MEMORY_ALONE:
        operation = on_registers(row)
        yield Case("registers", MInst(operation, [result], [*before, source, *after], imm), result)
        if before:
            yield Case("in place", MInst(operation, [A], [*before, source, *after], imm), A)
            if row.flags & COMMUTATIVE:
                yield Case("changed places", MInst(operation, [source], [A, source], imm), source)
        if operation.stack_use >= 0:
            assert operation.stack_use == len(before)
            yield Case("spilled", MInst(operation, [result], [*before, SLOT, *after], imm), result)
    if not row.memory or after:
        return
    for label, address, shift in (("memory", [RDI], 0), ("indexed", [RDI, RCX], 3)):
        packed = pack_address((AT_RESULT if to_memory else AT_B) - (8 if shift else 0), shift)
        if operands[-1] == "i":
            packed = pack_value(packed, imm)
        if to_memory:
            yield Case(label, MInst(on_memory(row), [], [source, *address], packed), -1)
        else:
            yield Case(label, MInst(on_memory(row), [result], [*before, *address], packed), result)
    if not imm and not to_memory:
        constant = second & (1 << 8 * row.memory) - 1
        yield Case("constant", MInst(on_constant(row), [result], before, constant), result)


def compiled(case: Case) -> bytes:
    """A C function of the address of both sources and of the place of the result."""
    function = Function("case", Signature((types.I64,), ()), ABI_C)
    machine = MFunction("case")
    block = MBlock(0)
    insts = [
        MInst(_LOAD, [D], [RDI], pack_address(AT_RESULT, 0)),
        MInst(_LOAD, [A], [RDI], pack_address(AT_A, 0)),
        MInst(_LOAD, [B], [RDI], pack_address(AT_B, 0)),
        MInst(_LOAD, [C], [RDI], pack_address(AT_B, 0)),
        MInst(_LOAD64, [RSI], [RDI], pack_address(AT_B, 0)),
        MInst(MOVE, [SLOT], [B], types.V128),
        MInst(_LOAD64, [RCX], [RDI], pack_address(48, 0)),
        *case.insts,
    ]
    if case.result >= 0:
        store = _STORE if case.result >= XMM0 else _STORE64
        insts.append(MInst(store, [], [case.result, RDI], pack_address(AT_RESULT, 0)))
    block.insts = [*insts, MInst(RETURN, [], [], 0)]
    machine.blocks = [block]
    return emit(function, machine, Frame(0, 4, [], [], 0), Amd64Target(frozenset(cpu.features()))).code


class Processor:
    """Memory in which code runs."""

    def __init__(self) -> None:
        self.page = mmap.mmap(-1, 1 << 16, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self.anchor = ctypes.c_char.from_buffer(self.page)
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(self.anchor))

    def run(self, code: bytes, first: int, second: int) -> int:
        """The result; 16 bytes, of which the instruction may not write all."""
        self.page[: len(code)] = code
        memory = first.to_bytes(16, "little") + second.to_bytes(16, "little") + bytes(16) + (1).to_bytes(8, "little")
        buffer = ctypes.create_string_buffer(memory, len(memory))
        self.call(ctypes.addressof(buffer))
        return int.from_bytes(buffer.raw[AT_RESULT : AT_RESULT + 16], "little")


@pytest.fixture(scope="module")
def processor() -> Processor:
    return Processor()


def vectors(seed: str) -> tuple[int, int]:
    generator = random.Random(seed)
    return generator.getrandbits(128), generator.getrandbits(128)


@pytest.mark.parametrize("name", ROWS)
def test_forms_agree(name: str, processor: Processor) -> None:
    legacy = ROWS[name]
    first, second = vectors(name)
    rows = [legacy] if isinstance(legacy, VexEncoding) else [legacy, vex(legacy)]
    results = {}
    for row in rows:
        if row.feature and row.feature not in cpu.features():
            pytest.skip(f"the processor has no {row.feature}")
        for case in cases(name, row, second):
            bits = processor.run(compiled(case), first, second)
            # What is stored of a vector is not all of it.
            results[row.name, case.label] = bits & (1 << 8 * row.memory) - 1 if row.flags & RM_FIRST else bits
    assert len(set(results.values())) == 1, {key: hex(value) for key, value in results.items()}


def lanes(bits: int, width: int) -> list[int]:
    return [bits >> at & (1 << width) - 1 for at in range(0, 128, width)]


def joined(values: list[int], width: int) -> int:
    return sum((value & (1 << width) - 1) << width * at for at, value in enumerate(values))


def expected(name: str, a: int, b: int) -> int:
    """What some instructions, one of each form, do, by the manual."""
    words, low = lanes(a, 16), (1 << 64) - 1
    return {
        "PADDB": lambda: joined([x + y for x, y in zip(lanes(a, 8), lanes(b, 8))], 8),
        "PSUBD": lambda: joined([x - y for x, y in zip(lanes(a, 32), lanes(b, 32))], 32),
        "PANDN": lambda: ~a & b & (1 << 128) - 1,
        "PALIGNR": lambda: (a << 128 | b) >> 8 * IMM & (1 << 128) - 1,
        "PSHUFD": lambda: joined([lanes(b, 32)[IMM >> 2 * at & 3] for at in range(4)], 32),
        "PSLLW_I": lambda: joined([x << IMM for x in words], 16),
        "PSRLQ_I": lambda: joined([x >> IMM for x in lanes(a, 64)], 64),
        "PINSRW": lambda: joined([*words[:5], b & 0xFFFF, *words[6:]], 16),
        "PEXTRB": lambda: b >> 8 * IMM & 0xFF,
        "PMOVZXWD": lambda: joined(lanes(b, 16)[:4], 32),
        "MOVHLPS": lambda: a & ~low | b >> 64,
        "VPBROADCASTW": lambda: joined([b & 0xFFFF] * 8, 16),
    }[name]()


@pytest.mark.parametrize(
    "name", ("PADDB", "PSUBD", "PANDN", "PALIGNR", "PSHUFD", "PSLLW_I", "PSRLQ_I", "PINSRW", "PEXTRB", "PMOVZXWD",
             "MOVHLPS", "VPBROADCASTW")
)  # fmt: skip
def test_forms_are_right(name: str, processor: Processor) -> None:
    row = ROWS[name]
    if row.feature and row.feature not in cpu.features():
        pytest.skip(f"the processor has no {row.feature}")
    first, second = vectors(name)
    assert processor.run(compiled(next(cases(name, row, second))), first, second) == expected(name, first, second)


def test_registers_that_need_longer_prefixes(processor: Processor) -> None:
    """Operands in xmm8 and up, and in VEX.vvvv: four bits each."""
    first, second = vectors("prefixes")
    for row in (vec.PSUBD, vex(vec.PSUBD)):
        if row.feature and row.feature not in cpu.features():
            continue
        for number in range(16):
            target, one, other = (XMM0 + (number + k) % 15 for k in (0, 5, 10))
            before = (
                MInst(_LOAD, [one], [RDI], pack_address(AT_A, 0)),
                MInst(_LOAD, [other], [RDI], pack_address(AT_B, 0)),
            )
            case = Case("", MInst(on_registers(row), [target], [one, other], 0), target, before)
            assert processor.run(compiled(case), first, second) == expected("PSUBD", first, second)


def test_moves_and_constants(processor: Processor) -> None:
    """Through a register, two aligned slots, and the pool."""
    first, second = vectors("moves")
    target = Amd64Target(frozenset(cpu.features()))

    class Emits(MOp):
        """What the target emits for moves and constants."""

        def emit(self, emitter: Emitter, inst: MInst) -> None:
            constant = Inst(opcodes.CONST, types.V128, [], inst.imm, 0, 0)
            target.emit_constant(emitter, spill_slot(2), constant)
            target.emit_move(emitter, A, spill_slot(2), types.V128)
            target.emit_move(emitter, D, A, types.V128)

    for bits in (0, second, (1 << 128) - 1, 1 << 64):
        case = Case("", MInst(Emits("emits"), [], [], bits), D)
        assert processor.run(compiled(case), first, second) == bits
        case = Case("", MInst(FLOAT_CONSTANT[types.V128], [D], [], bits), D)
        assert processor.run(compiled(case), first, second) == bits
