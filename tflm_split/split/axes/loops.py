"""What does it mean that one axis follows another?

An output of an operator is computed over loops: one along each of its axes, then one along each axis that is summed (or
maximised) away. An axis of an operand follows at most one loop: each index of the loop needs certain indices of the axis.
A CONV_2D, for example:

    output [batch, height, width, channels]          loops 0, 1, 2, 3, and loop 4 over the input channels
    input  [batch, height, width, channels]          its axes follow loops 0, 1 (window), 2 (window), 4
    weights [channels, kernel, kernel, depth]        its axes follow loops 3, none, none, 4

This is an upper bound on what one element of the output depends on. Tests compare it with TFLM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from tflm_split.split.rows import SAME_ROW, BatchRows, Between, MappedRow, TransposedWindow, Window

Reach = Window | TransposedWindow | MappedRow | Between | BatchRows
"""Index of a loop -> indices of an axis. These classes are named after rows, but serve any axis."""

IN_STEP = SAME_ROW
"""Index i needs index i."""


class Relation(Enum):
    """How an axis of an output and an axis of an operand are related."""

    IDENTITY = "identity"
    """Index i needs index i, and both axes have the same size."""
    WINDOW = "window"
    """Index i needs some indices, and neighbours may share some of them: the halo."""
    REDUCTION = "reduction"
    """Each element of the output needs every index."""
    BROADCAST = "broadcast"
    """Of an output's axis: all its indices need the same elements of the operand."""
    NONE = "none"
    """Nothing is known that a cut could use."""


@dataclass(frozen=True, slots=True)
class Follows:
    """An operand's axis of `size` indices: index i of loop `loop` needs `indices(i)`, and no others."""

    loop: int
    size: int
    reach: Reach = IN_STEP

    def indices(self, i: int) -> range:
        """The indices that index i of the loop needs, in increasing order."""
        return self.reach.rows(i, self.size)

    @property
    def halo(self) -> int:
        """How many indices of the axis two neighbouring parts of the loop both need, at best."""
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
"""Per axis of an operand: what it follows; None when it follows no loop."""


@dataclass(frozen=True, slots=True)
class Loops:
    """How one output with `rank` axes is computed.

    `sizes` are the sizes of the loops, those of the output's own axes first. `operands`: position among the operator's
    inputs -> what its axes follow; nothing is known of a missing one. `torn`: axes of the output that follow several axes
    of an operand, or share one with another axis of the output.
    """

    rank: int
    sizes: tuple[int, ...]
    operands: Mapping[int, Axes]
    torn: frozenset[int] = frozenset()

    def of_input(self, position: int, axis: int) -> Relation:
        """How the axis of an operand is related to the output; never BROADCAST."""
        follows = self.followed(position, axis)
        if follows is None:
            return Relation.NONE
        if follows.loop >= self.rank or self._needs_all(follows):
            return Relation.REDUCTION
        in_step = follows.reach == IN_STEP and follows.size == self.sizes[follows.loop]
        return Relation.IDENTITY if in_step else Relation.WINDOW

    def of_output(self, position: int, axis: int) -> Relation:
        """How an axis of the output is related to an operand."""
        if position not in self.operands:
            return Relation.NONE
        follower = self.follower(position, axis)
        if follower is not None:
            return self.of_input(position, follower)
        return Relation.NONE if axis in self.torn else Relation.BROADCAST

    def followed(self, position: int, axis: int) -> Follows | None:
        """What an operand's axis follows; None when that is unknown, or nothing."""
        axes = self.operands.get(position, ())
        return axes[axis] if 0 <= axis < len(axes) else None

    def follower(self, position: int, loop: int) -> int | None:
        """The axis of an operand that follows a loop; None when there is none."""
        axes = self.operands.get(position, ())
        return next((a for a, follows in enumerate(axes) if follows is not None and follows.loop == loop), None)

    def _needs_all(self, follows: Follows) -> bool:
        if follows.size == 1 or follows.reach == IN_STEP:
            return False
        if isinstance(follows.reach, BatchRows):
            return follows.reach.input_rows == follows.size
        return all(len(follows.indices(i)) == follows.size for i in range(self.sizes[follows.loop]))


def unknown(rank: int) -> Loops:
    """The loops of an output with `rank` axes whose operator is unknown."""
    return Loops(rank, (), {}, frozenset(range(rank)))


def in_blocks(outputs: int, inputs: int) -> Reach:
    """Blocks: each block of `outputs` indices needs the block of `inputs` indices at the same place."""
    return IN_STEP if outputs == inputs == 1 else BatchRows(outputs, inputs)


def whole(size: int, loop_size: int) -> Reach:
    """Each of the loop's `loop_size` indices needs all `size` indices."""
    return BatchRows(loop_size, size)
