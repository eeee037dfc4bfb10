"""Sequences of instructions as text, folded where the operands are at hand.

Folding never changes the order of instructions: ((op) operands) is the operands, then the operation. So what is folded
is a matter of looks, and what is not sure to be an operand stays in the sequence by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wasm_core import opcodes as op
from wasm_core.disassembler import instructions_between
from wasm_core.errors import MalformedError
from wasm_core.instructions import IMM_BLOCK, IMM_BLOCK_CATCHES, IMM_CAST_LABEL, IMM_LABEL, IMM_LABEL_TABLE, Instruction
from wasm_text.annotations import BRANCH_HINTS
from wasm_text.instruction_printer import Immediates, Scope, effect, immediates_text

#: How wide a folded instruction in one line is at most, without what it is indented by.
_WIDTH: Final = 72
#: How deep folded instructions are nested at most.
_DEEPEST: Final = 60
#: Levels that lines are indented for; what is nested deeper is not indented further.
_MOST_LEVELS: Final = 32
#: What blocks are called that are branched to and have no name.
_LABELS: Final = {"block": "block", "loop": "loop", "if": "if", "try": "try", "try_table": "try"}


class Node:
    """An instruction in parentheses, with what is folded into it."""

    __slots__ = ("before", "children", "depth", "head", "is_block", "line", "results")

    def __init__(self, head: str, children: list[Node], results: int, is_block: bool = False, before: str = "") -> None:
        #: An annotation before the "(", with a space.
        self.before: Final = before
        #: What follows the "(".
        self.head: Final = head
        self.children: Final = children
        self.results: Final = results
        #: Whether the ")" has a line of its own.
        self.is_block: Final = is_block
        #: All in one line, if it is short.
        self.line: Final = _one_line(head, children, is_block, before)
        self.depth: Final[int] = 1 + max([child.depth for child in children], default=0)


def _one_line(head: str, children: list[Node], is_block: bool, before: str) -> str | None:
    if not children:
        return f"{before}({head})"
    if is_block and len(children) > 1:
        return None
    size = len(head) + 2
    parts = [head]
    for child in children:
        if child.line is None or child.is_block:
            return None
        size += len(child.line) + 1
        if size > _WIDTH:
            return None
        parts.append(child.line)
    return f"{before}({' '.join(parts)})"


class _Sequence:
    """Instructions one after the other."""

    __slots__ = ("barrier", "nodes")

    def __init__(self) -> None:
        self.nodes: Final[list[Node]] = []
        #: What comes before this is no operand of what follows.
        self.barrier = 0

    def operands(self, count: int) -> list[Node] | None:
        """Take the last instructions if they are so many operands with one value each."""
        nodes = self.nodes
        if not count:
            return []
        if len(nodes) - self.barrier >= count:
            taken = nodes[len(nodes) - count :]
            if all(node.results == 1 and node.depth < _DEEPEST for node in taken):
                del nodes[len(nodes) - count :]
                return taken
        return None

    def add(self, node: Node) -> None:
        self.nodes.append(node)

    def close(self) -> None:
        """Values that are there already have been used by something that they could not be folded into."""
        self.barrier = len(self.nodes)


class _Block:
    """A block that is open."""

    __slots__ = ("before", "head", "outer", "part", "parts", "results", "sequence")

    def __init__(self, instruction: Instruction, head: str, results: int, outer: _Sequence, before: str) -> None:
        self.before: Final = before
        self.head: Final = head
        #: The sequence that the block is part of.
        self.outer: Final = outer
        self.results: Final = results
        #: The parts of `if` and `try` that are complete, the condition included.
        self.parts: Final[list[Node]] = []
        #: What the part that is open is called; "" for a block without parts.
        self.part = {"if": "then", "try": "do"}.get(instruction.name, "")
        self.sequence = _Sequence()

    def finish_part(self, following: str) -> None:
        """End a part, and begin the next one."""
        self.parts.append(Node(self.part, self.sequence.nodes, 0, True))
        self.part = following
        self.sequence = _Sequence()

    def finish(self) -> Node:
        if self.part:
            self.finish_part("")
            return Node(self.head, self.parts, self.results, True, self.before)
        return Node(self.head, self.sequence.nodes, self.results, True, self.before)


class BodyPrinter:
    """Turns instructions of a binary into nodes."""

    __slots__ = ("_fold", "_hints", "_offsets", "_scope", "_source")

    def __init__(self, source: bytes, scope: Scope, fold: bool, offsets: bool, hints: Mapping[int, bool]) -> None:
        """Prepare for one function, or one constant expression.

        Args:
            fold: Whether to fold operands into instructions.
            offsets: Whether to write the offset of each instruction as a comment.
            hints: By the offset of a branch, whether it is likely.
        """
        self._hints: Final = hints
        self._source: Final = source
        self._scope: Final = scope
        self._fold: Final = fold
        self._offsets: Final = offsets

    def read(self, start: int, end: int, label_names: dict[int, str]) -> tuple[list[Node], int]:
        """The instructions from an offset to the `end` that closes them, and the offset after that.

        Raises:
            MalformedError: An opcode is illegal, an immediate malformed, or a block is not closed.
        """
        labels = self._labels(start, end, label_names)
        scope = self._scope
        blocks: list[_Block] = []
        sequence = _Sequence()
        number = 0
        for at, instruction, immediates in instructions_between(self._source, start, end):
            opcode = instruction.opcode
            if opcode == op.END:
                if not blocks:
                    return sequence.nodes, at + 1
                scope.pop()
                block = blocks.pop()
                sequence = block.outer
                sequence.add(block.finish())
            elif instruction.immediate in (IMM_BLOCK, IMM_BLOCK_CATCHES):
                params, results = scope.view.block_effect(immediates[0])
                head = self._head(at, instruction, immediates, labels.get(number, ""))
                block = _Block(instruction, head, results, sequence, self._before(at))
                if opcode == op.IF:
                    condition = sequence.operands(1) if self._fold else None
                    if condition is None:
                        sequence.close()
                    else:
                        block.parts.extend(condition)
                if params:
                    sequence.close()
                scope.push(labels.get(number, ""), params if opcode == op.LOOP else results)
                number += 1
                blocks.append(block)
                sequence = block.sequence
            elif opcode in _PARTS:
                if not blocks or blocks[-1].part not in _PARTS[opcode]:
                    raise MalformedError(f"unexpected {instruction.name}", at)
                block = blocks[-1]
                if opcode == op.DELEGATE:
                    # It ends the block, and its label counts from outside of it.
                    scope.pop()
                    blocks.pop()
                block.finish_part(instruction.name + self._rest(at, instruction, immediates))
                sequence = block.sequence
                if opcode == op.DELEGATE:
                    sequence = block.outer
                    sequence.add(block.finish())
            else:
                head = instruction.name + self._rest(at, instruction, immediates)
                operands, results = effect(instruction, immediates, scope)
                children = sequence.operands(operands) if self._fold else None
                if children is None:
                    sequence.close()
                    children = []
                sequence.add(Node(head, children, results, False, self._before(at)))
        raise MalformedError("unexpected end", end)

    def _before(self, at: int) -> str:
        """The annotation before an instruction."""
        if at not in self._hints:
            return ""
        return f'(@{BRANCH_HINTS} "\\0{int(self._hints[at])}") '

    def _rest(self, at: int, instruction: Instruction, immediates: Immediates) -> str:
        text = immediates_text(instruction, immediates, self._scope)
        return f"{text} (;@{at:x};)" if self._offsets else text

    def _head(self, at: int, instruction: Instruction, immediates: Immediates, label: str) -> str:
        rest = self._rest(at, instruction, immediates)
        return f"{instruction.name} {label}{rest}" if label else instruction.name + rest

    def _labels(self, start: int, end: int, names: dict[int, str]) -> dict[int, str]:
        """What blocks are called, by their order: those that have a name, and those that are branched to."""
        from wasm_text.identifiers import identifier

        found = {number: identifier(name) for number, name in names.items() if name}
        if not self._scope.view.generate:
            return found
        taken = set(found.values())
        open_blocks: list[tuple[int, str]] = []
        number = 0
        for _, instruction, immediates in instructions_between(self._source, start, end):
            kind = instruction.immediate
            targets: Immediates = ()
            if kind in (IMM_BLOCK, IMM_BLOCK_CATCHES):
                targets = immediates[3::3]
            elif kind in (IMM_LABEL, IMM_LABEL_TABLE):
                targets = immediates
                if instruction.opcode == op.DELEGATE and open_blocks:
                    open_blocks.pop()
            elif kind == IMM_CAST_LABEL:
                targets = immediates[1:2]
            elif instruction.opcode == op.END:
                if not open_blocks:
                    return found
                open_blocks.pop()
            for target in targets:
                if target < len(open_blocks):
                    block, name = open_blocks[-1 - target]
                    if block not in found:
                        text = f"${name}{block}"
                        while text in taken:
                            text += "#"
                        taken.add(text)
                        found[block] = text
            if kind in (IMM_BLOCK, IMM_BLOCK_CATCHES):
                open_blocks.append((number, _LABELS[instruction.name]))
                number += 1
        return found


#: What may be the name of the part before: the keyword of a part alone or with immediates.
class _Names:
    __slots__ = ("_words",)

    def __init__(self, *words: str) -> None:
        self._words: Final = words

    def __contains__(self, part: str) -> bool:
        return part.partition(" ")[0] in self._words


_PARTS: Final[dict[int, _Names]] = {
    op.ELSE: _Names("then"),
    op.CATCH: _Names("do", "catch"),
    op.CATCH_ALL: _Names("do", "catch"),
    op.DELEGATE: _Names("do"),
}


def write(nodes: list[Node], level: int, out: list[str]) -> None:
    """Append the lines of some nodes, indented by so many levels."""
    # Nodes yet to be written with their levels; None and a level is a ")" on a line of its own, or at the end of one.
    waiting: list[tuple[Node | None, int]] = [(node, level) for node in reversed(nodes)]
    while waiting:
        node, level = waiting.pop()
        if node is None:
            if level < 0:
                out[-1] += ")"
            else:
                out.append(f"{indent(level)})")
            continue
        if node.line is not None:
            out.append(indent(level) + node.line)
            continue
        out.append(f"{indent(level)}{node.before}({node.head}")
        waiting.append((None, level if node.is_block else -1))
        waiting.extend([(child, level + 1) for child in reversed(node.children)])


def indent(level: int) -> str:
    """The space before a line."""
    return "  " * min(level, _MOST_LEVELS)


def inline(nodes: list[Node]) -> str:
    """Nodes in one line, however long."""
    out: list[str] = []
    write(nodes, 0, out)
    return " ".join([line.strip() for line in out])
