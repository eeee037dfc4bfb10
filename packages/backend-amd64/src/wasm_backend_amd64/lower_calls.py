"""Instruction selection for control flow other than conditional branches: calls, function entry, returns, traps."""

from __future__ import annotations

from wasm_backend_amd64.abi import ENTER_CLOBBERS, NATIVE, WASM, convention
from wasm_backend_amd64.control_instructions import (
    BR_TABLE,
    CALL,
    CALL_NATIVE,
    CALL_REF,
    CALLS_REFERENCES,
    ENTER,
    ENTERS,
    ENTRY,
    JUMP,
    MAKES_CALLS,
    POLL,
    POLLS,
    RETURN,
    TRAP,
    UNWIND,
)
from wasm_backend_amd64.lower_conditions import ConditionLowering
from wasm_backend_amd64.registers import CALLEE_REGISTER, CONTEXT_REGISTER, R10, RAX
from wasm_core.errors import CompileError
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.abi import Convention
from wasm_ir.codegen.machinst import MFixed, MInst, MOp
from wasm_ir.ir import ABI_C, ABI_WASM, Call, Inst


class CallLowering(ConditionLowering):
    """Handlers of calls, terminators without a condition, and the function's entry."""

    # The function's own convention.

    def lower_callee(self, inst: Inst) -> None:
        """Nothing: the entry defines it."""

    def lower_entry(self, params: list[Inst]) -> None:
        function = self.function
        places = convention(function.abi).arguments(function.signature.params).incoming
        fixed_defs: list[tuple[int, int]] = []
        narrow = 0
        for param, place in zip(params, places):
            vreg = self.vregs[param.id]
            if vreg:
                fixed_defs.append((vreg, place))
                if function.abi == ABI_C and param.type == types.I32 and place >= 0:
                    narrow |= 1 << place
        if function.uses_callee:
            for inst in function.blocks[0].insts:
                if inst.op == op.CALLEE and self.vregs[inst.id]:
                    fixed_defs.append((self.vregs[inst.id], CALLEE_REGISTER))
        if fixed_defs:
            self.emit(MFixed(ENTRY, [], [], narrow, [], fixed_defs, 0))

    def lower_return(self, inst: Inst) -> None:
        function = self.function
        places = convention(function.abi).results(function.signature.results).incoming
        fixed_uses = [(self.value(arg), place) for arg, place in zip(inst.args, places)]
        self.emit(MFixed(RETURN, [], [], 0, fixed_uses, [], 0))

    # Calls.

    def _lower_call(
        self,
        operation: MOp,
        call: Call,
        imm: int,
        rules: Convention,
        arguments: list[Inst],
        results: list[Inst],
        fixed_uses: list[tuple[int | Inst, int]],
        fixed_defs: list[tuple[int, int]],
        clobbers: int,
    ) -> None:
        """Add arguments and results of the callee to fixed uses and definitions of the call's own."""
        argument_places = rules.arguments(call.signature.params)
        result_places = rules.results(call.signature.results)
        machine = self.machine
        machine.outgoing_words = max(machine.outgoing_words, argument_places.words, result_places.words)
        machine.flags |= MAKES_CALLS
        for argument, place in zip(arguments, argument_places.outgoing):
            fixed_uses.append((self.value(argument), place))
        vregs = self.vregs
        for result, place in zip(results, result_places.outgoing):
            if vregs[result.id]:
                fixed_defs.append((vregs[result.id], place))
        self.emit(MFixed(operation, [], [], imm, fixed_uses, fixed_defs, clobbers, call.offset))

    def lower_call(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        self._lower_call(CALL, inst, inst.imm, WASM, inst.args, [inst, *inst.results], [], [], WASM.clobbers)

    def lower_call_ref(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        self.machine.flags |= CALLS_REFERENCES
        fixed_uses = [(self.value(inst.args[0]), CALLEE_REGISTER)]
        results = [inst, *inst.results]
        self._lower_call(CALL_REF, inst, 0, WASM, inst.args[1:], results, fixed_uses, [], WASM.clobbers)

    def lower_call_native(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        signature = inst.signature
        if NATIVE.arguments(signature.params).words or NATIVE.results(signature.results).words:
            raise CompileError("call of a C function with arguments or results on the stack")
        narrow = int(signature.results == (types.I32,))
        fixed_uses = [(self.value(inst.args[0]), RAX)]
        self._lower_call(CALL_NATIVE, inst, narrow, NATIVE, inst.args[1:], [inst], fixed_uses, [], NATIVE.clobbers)

    def lower_enter(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        if self.function.abi != ABI_C:
            raise CompileError("enter in a function with the WebAssembly convention")
        self.machine.flags |= ENTERS
        signature = inst.signature
        fixed_uses = [
            (self.value(inst.args[0]), RAX),
            (self.value(inst.args[1]), CALLEE_REGISTER),
            (self.value(inst.args[2]), CONTEXT_REGISTER),
        ]
        status = self.vregs[inst.id]
        fixed_defs = [(status, R10)] if status else []
        imm = WASM.arguments(signature.params).words << 16 | WASM.results(signature.results).words
        self._lower_call(ENTER, inst, imm, WASM, inst.args[3:], inst.results, fixed_uses, fixed_defs, ENTER_CLOBBERS)

    def lower_result(self, inst: Inst) -> None:
        """Nothing: the call defines it."""

    def lower_poll(self, inst: Inst) -> None:
        # A `loop` that nothing branches to is none.
        if self.function.blocks[self._block].is_loop_header:
            self.machine.flags |= POLLS
            self.emit(MInst(POLL, [], [], 0, inst.offset))

    # Terminators.

    def lower_jump(self) -> None:
        self.emit(MInst(JUMP, [], [], 0))

    def lower_jump_inst(self, inst: Inst) -> None:
        self.lower_jump()

    def lower_br_table(self, inst: Inst) -> None:
        self.emit(MInst(BR_TABLE, [self.temp()], [self.use(inst.args[0])], 0))

    def lower_trap(self, inst: Inst) -> None:
        self.emit(MInst(TRAP, [], [], inst.imm, inst.offset))

    def lower_unwind(self, inst: Inst) -> None:
        assert self.function.abi == ABI_WASM
        self.emit(MFixed(UNWIND, [], [], 0, [(self.value(inst.args[0]), R10)], [], 0, inst.offset))
