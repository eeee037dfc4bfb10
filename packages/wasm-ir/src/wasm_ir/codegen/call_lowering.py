"""Instruction selection of calls, function entry, returns, traps and jumps: the same everywhere but for registers."""

from __future__ import annotations

from wasm_core.errors import CompileError
from wasm_core.lazy_typing import mypyc_attr
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.abi import Convention
from wasm_ir.codegen.control import ENTRY, JUMP, POLL, TRAP
from wasm_ir.codegen.machinst import CALLS_REFERENCES, ENTERS, MAKES_CALLS, MFixed, MInst, MOp, MTailCall
from wasm_ir.codegen.operand_lowering import OperandLowering
from wasm_ir.ir import ABI_C, ABI_WASM, Call, Inst


@mypyc_attr(allow_interpreted_subclasses=True)
class CallLowering(OperandLowering):
    """Handlers of calls, terminators without a condition, and the function's entry."""

    def _convention(self) -> Convention:
        """The function's own."""
        return self.vocabulary.wasm if self.function.abi == ABI_WASM else self.vocabulary.native

    def lower_callee(self, inst: Inst) -> None:
        """Nothing: the entry defines it."""

    def lower_entry(self, params: list[Inst]) -> None:
        function = self.function
        places = self._convention().arguments(function.signature.params).incoming
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
                    fixed_defs.append((self.vregs[inst.id], self.vocabulary.callee_register))
        if fixed_defs:
            self.emit(MFixed(ENTRY, [], [], narrow, [], fixed_defs, 0))

    def lower_return(self, inst: Inst) -> None:
        places = self._convention().results(self.function.signature.results).incoming
        fixed_uses = [(self.value(arg), place) for arg, place in zip(inst.args, places)]
        self.emit(MFixed(self.vocabulary.ret, [], [], 0, fixed_uses, [], 0))

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
        vocabulary = self.vocabulary
        wasm = vocabulary.wasm
        operation = self._or_invoke(vocabulary.call, vocabulary.invoke)
        self._lower_call(operation, inst, inst.imm, wasm, inst.args, [inst, *inst.results], [], [], wasm.clobbers)

    def lower_call_ref(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        vocabulary = self.vocabulary
        wasm = vocabulary.wasm
        fixed_uses = [(self.value(inst.args[0]), vocabulary.callee_register)]
        results = [inst, *inst.results]
        if inst.imm:
            operation = self._or_invoke(vocabulary.call_own, vocabulary.invoke_own)
        else:
            self.machine.flags |= CALLS_REFERENCES
            operation = self._or_invoke(vocabulary.call_ref, vocabulary.invoke_ref)
        self._lower_call(operation, inst, 0, wasm, inst.args[1:], results, fixed_uses, [], wasm.clobbers)

    def _or_invoke(self, call: MOp, invoke: MOp | None) -> MOp:
        """The machine instruction for a call: one that lands if `invoke` ends its block."""
        if not self.is_invoked:
            return call
        self.is_invoked = False
        assert invoke is not None
        return invoke

    def lower_call_native(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        vocabulary = self.vocabulary
        native = vocabulary.native
        signature = inst.signature
        words = native.arguments(signature.params).words
        if (words and not native.shadow_words) or native.results(signature.results).words:
            raise CompileError("call of a C function with arguments or results on the stack")
        narrow = words << 1 | int(signature.results == (types.I32,))
        target = [(self.value(inst.args[0]), vocabulary.native_register)]
        operation = vocabulary.call_native
        clobbers = vocabulary.enter_clobbers if inst.imm else native.clobbers
        if self.function.abi == ABI_WASM:
            # The allocator takes what all calls destroy here to be destroyed by each.
            clobbers |= vocabulary.wasm.clobbers
        self._lower_call(operation, inst, narrow, native, inst.args[1:], [inst], target, [], clobbers)

    def lower_enter(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        if self.function.abi != ABI_C:
            raise CompileError("enter in a function with the WebAssembly convention")
        self.machine.flags |= ENTERS
        vocabulary = self.vocabulary
        wasm = vocabulary.wasm
        signature = inst.signature
        fixed_uses = [
            (self.value(inst.args[0]), vocabulary.store_register),
            (self.value(inst.args[1]), vocabulary.callee_register),
            (self.value(inst.args[2]), vocabulary.context_register),
        ]
        status = self.vregs[inst.id]
        fixed_defs = [(status, vocabulary.status_register)] if status else []
        words = wasm.arguments(signature.params).words << 16 | wasm.results(signature.results).words
        clobbers = vocabulary.enter_clobbers
        arguments = inst.args[3:]
        operation, _ = vocabulary.crossings()
        self._lower_call(operation, inst, words, wasm, arguments, inst.results, fixed_uses, fixed_defs, clobbers)

    def lower_result(self, inst: Inst) -> None:
        """Nothing: the call defines it."""

    def lower_poll(self, inst: Inst) -> None:
        # A `loop` that nothing branches to is none. One that was moved stands in front of a loop.
        if inst.imm or self.function.blocks[self._block].is_loop_header:
            self.emit(MInst(POLL, [], [], 0, inst.offset))

    # Terminators.

    def lower_jump(self) -> None:
        self.emit(MInst(JUMP, [], [], 0))

    def lower_jump_inst(self, inst: Inst) -> None:
        self.lower_jump()

    def lower_trap(self, inst: Inst) -> None:
        self.emit(MInst(TRAP, [], [], inst.imm, inst.offset))

    def lower_invoke(self, inst: Inst) -> None:
        if self.vocabulary.invoke is None:
            raise CompileError(f"the {self.vocabulary.name} backend has no exceptions")
        self.is_invoked = True
        # A landing pad takes the VMContext from the frame.
        self.machine.flags |= CALLS_REFERENCES
        self.lower_jump()

    def lower_throw(self, inst: Inst) -> None:
        if self.vocabulary.throw is None:
            raise CompileError(f"the {self.vocabulary.name} backend has no exceptions")
        self.emit(MInst(self.vocabulary.throw, [], [], 0, inst.offset))

    def lower_return_call(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        self._lower_tail_call(False, inst, inst.args, [])

    def lower_return_call_ref(self, inst: Inst) -> None:
        assert isinstance(inst, Call)
        callee = (self.value(inst.args[0]), self.vocabulary.callee_register)
        self._lower_tail_call(True, inst, inst.args[1:], [callee])

    def _lower_tail_call(
        self, through_reference: bool, call: Call, arguments: list[Inst], fixed_uses: list[tuple[int | Inst, int]]
    ) -> None:
        """Bring the arguments to the words that this function got its own in, if these are enough."""
        function = self.function
        if self.vocabulary.tail_calls is None:
            raise CompileError(f"the {self.vocabulary.name} backend has no tail calls")
        operation = self.vocabulary.tail_calls()[int(through_reference)]
        if function.abi != ABI_WASM or function.uses_callee:
            raise CompileError("tail call in a function with another convention")
        wasm = self.vocabulary.wasm
        places = wasm.arguments(call.signature.params)
        result_words = wasm.results(call.signature.results).words
        own_words = max(wasm.arguments(function.signature.params).words, result_words)
        grows = places.words > own_words
        for argument, place in zip(arguments, places.outgoing if grows else places.incoming):
            fixed_uses.append((self.value(argument), place))
        inst = MTailCall(operation, call.imm, fixed_uses, call.offset, places.words, result_words, grows)
        machine = self.machine
        # Callees of callees need not look at the limit of the stack, and what loops like that must be interruptible.
        machine.flags |= MAKES_CALLS
        if inst.area() and (grows or through_reference):
            # Where those words go in the end is in this frame, which is what the limit of the stack is compared with.
            machine.outgoing_words = max(machine.outgoing_words, inst.area() // 8 + 2)
        self.emit(inst)

    def lower_unwind(self, inst: Inst) -> None:
        assert self.function.abi == ABI_WASM
        status = [(self.value(inst.args[0]), self.vocabulary.status_register)]
        _, operation = self.vocabulary.crossings()
        self.emit(MFixed(operation, [], [], 0, status, [], 0, inst.offset))
