"""One operator cut into row steps: what `split` makes of an operator, and what the program runs.

An operator becomes one row op, except CONCATENATION, which becomes a copy per input (none for an input whose producer
writes straight into place, `storage.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tflm_split import kinds
from tflm_split.kinds import OpKind
from tflm_split.split.rows import SAME_ROW, BatchRows, Between, MappedRow, RowShape, TransposedWindow, Window

Params = dict[str, int | float | bytes]
"""The fields of an op kind's parameter record by name; a field `x_offset` holds the constant's bytes."""


@dataclass(frozen=True, slots=True)
class Read:
    """One operand: the tensor, the op's view of it, and the rows an output row needs."""

    tensor: int
    shape: RowShape
    window: Window | TransposedWindow | MappedRow | Between | BatchRows = SAME_ROW
    may_be_overwritten: bool = False
    """Whether the output row may take the very address of this row when it is read for the last time (element-wise)."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a partial write lands inside the output tensor: rows [first_row, ...), `offset_bytes` into each row."""

    first_row: int = 0
    offset_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RowOp:
    """`rows` steps, one per row of `output`; an accumulating op has one step per row of its (only) read instead.

    `params` are those of `Params`, read only.
    `output_pixel_stride_bytes` is that of the whole output tensor when only some of its channels are written.
    """

    source: int
    kind: OpKind
    reads: tuple[Read, ...]
    output: int
    output_shape: RowShape
    params: Mapping[str, int | float | bytes]
    placement: Placement = Placement()
    output_pixel_stride_bytes: int = 0
    accumulator_bytes: int = 0
    macs_per_step: int = 0
    sums: int | None = None
    """A tensor of int32: row r of it is what earlier row ops of the operator have summed up for output row r."""

    @property
    def accumulates(self) -> bool:
        return kinds.of(self.kind).feeds

    @property
    def steps(self) -> int:
        return self.reads[0].shape.rows if self.accumulates else self.output_shape.rows
