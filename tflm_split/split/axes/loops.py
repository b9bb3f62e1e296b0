"""What does it mean that one axis follows another?

An output of an operator is computed over loops: one along each of its axes, then one along each axis that is summed away
(or maximised, or looked through: what can be taken in part by part). An axis of an operand follows at most one loop: to
each index of the loop belong the indices of the axis that are needed there. What is said here is an upper bound on what a
single element of the output may depend on, and tests hold it against TFLM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from tflm_split.split.rows import SAME_ROW, BatchRows, Between, MappedRow, TransposedWindow, Window

Reach = Window | TransposedWindow | MappedRow | Between | BatchRows
"""Indices of an axis by the index of a loop. Rows are the example they are named after; they serve any axis."""

IN_STEP = SAME_ROW
"""Each index needs the same index."""


class Relation(Enum):
    """How an axis of an output and an axis of an operand are related."""

    IDENTITY = "identity"
    """Index i needs index i, and both have as many."""
    WINDOW = "window"
    """Index i needs some indices, of which neighbours may share some: `Follows.halo`."""
    REDUCTION = "reduction"
    """Each element of the output needs every index."""
    BROADCAST = "broadcast"
    """Of an output's axis: each index needs the same of the operand."""
    NONE = "none"
    """Nothing is known, or nothing that a cut could use."""


@dataclass(frozen=True, slots=True)
class Follows:
    """An operand's axis of `size` indices: index i of loop `loop` needs `indices(i)`, and no others."""

    loop: int
    size: int
    reach: Reach = IN_STEP

    def indices(self, i: int) -> range:
        """In increasing order."""
        return self.reach.rows(i, self.size)

    @property
    def halo(self) -> int:
        """How many indices two neighbouring parts of the loop both need, where it is cut well."""
        match self.reach:
            case Window(kernel, stride, dilation):
                return max((kernel - 1) * dilation + 1 - stride, 0)
            case TransposedWindow(kernel, stride):
                return -(-kernel // stride) - 1
            case Between():
                return 1
            case MappedRow() | BatchRows():
                return 0


Axes = tuple[Follows | None, ...]
"""By axis of an operand; None: no index of it belongs to an index of a loop."""


@dataclass(frozen=True, slots=True)
class Loops:
    """How one output with `rank` axes is computed: the loops' sizes, its own axes first, and what its operands follow.

    `operands` by position among the operator's inputs; of one that is missing there nothing is known. `torn` are axes of
    the output whose indices follow several axes, or one that another axis of the output follows, too.
    """

    rank: int
    sizes: tuple[int, ...]
    operands: Mapping[int, Axes]
    torn: frozenset[int] = frozenset()

    def of_input(self, position: int, axis: int) -> Relation:
        """What an operand's axis is to the output: never BROADCAST."""
        follows = self.followed(position, axis)
        if follows is None:
            return Relation.NONE
        if follows.loop >= self.rank or self._needs_all(follows):
            return Relation.REDUCTION
        in_step = follows.reach == IN_STEP and follows.size == self.sizes[follows.loop]
        return Relation.IDENTITY if in_step else Relation.WINDOW

    def of_output(self, position: int, axis: int) -> Relation:
        """What an axis of the output is to an operand."""
        if position not in self.operands:
            return Relation.NONE
        follower = self.follower(position, axis)
        if follower is not None:
            return self.of_input(position, follower)
        return Relation.NONE if axis in self.torn else Relation.BROADCAST

    def followed(self, position: int, axis: int) -> Follows | None:
        """What is known of an operand's axis."""
        axes = self.operands.get(position, ())
        return axes[axis] if 0 <= axis < len(axes) else None

    def follower(self, position: int, loop: int) -> int | None:
        """The axis of an operand that follows a loop."""
        axes = self.operands.get(position, ())
        return next((a for a, follows in enumerate(axes) if follows is not None and follows.loop == loop), None)

    def _needs_all(self, follows: Follows) -> bool:
        if follows.size == 1 or follows.reach == IN_STEP:
            return False
        if isinstance(follows.reach, BatchRows):
            return follows.reach.input_rows == follows.size
        return all(len(follows.indices(i)) == follows.size for i in range(self.sizes[follows.loop]))


def unknown(rank: int) -> Loops:
    """The loops of an operator of which nothing is known."""
    return Loops(rank, (), {}, frozenset(range(rank)))


def in_blocks(outputs: int, inputs: int) -> Reach:
    """Each `outputs` indices need the same `inputs` indices, block by block."""
    return IN_STEP if outputs == inputs == 1 else BatchRows(outputs, inputs)


def whole(size: int, loop_size: int) -> Reach:
    """Each index needs all."""
    return BatchRows(loop_size, size)
