"""What is an operator that is cut into row steps? `split/` makes row ops, and the program runs them.

Most operators become one row op. A CONCATENATION becomes one copy per input, and none for an input whose producer writes
straight into place (`storage.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tflm_split import kinds
from tflm_split.kinds import OpKind, View
from tflm_split.kinds.kind import Accumulator, Case
from tflm_split.split.rows import (
    SAME_ROW,
    BatchRows,
    Between,
    MappedRow,
    RecutRows,
    RowShape,
    RowsOfCall,
    TransposedWindow,
    Window,
)

Params = dict[str, int | float | bytes]
"""Field of an op kind's parameter record -> value. A field named `x_offset` holds the constant's bytes here."""

AnyWindow = Window | TransposedWindow | MappedRow | Between | BatchRows | RecutRows | RowsOfCall
"""Which input rows an output row needs."""

_FEEDS = frozenset(kind for kind in OpKind if kinds.of(kind).feeds)
_FETCHES = frozenset(kind for kind in OpKind if kinds.of(kind).fetches)
_EMITS = frozenset(kind for kind in OpKind if kinds.of(kind).emits)
"""Asked of the owners once: the search asks row ops hundreds of thousands of times."""


@dataclass(frozen=True, slots=True)
class Read:
    """One operand: a tensor, the shape in which the op sees it, and which of its rows an output row needs."""

    tensor: int
    shape: RowShape
    window: AnyWindow = SAME_ROW
    may_be_overwritten: bool = False
    """Whether the output row may replace this row in place, at the same address, in the step that reads it last.

    So it is for element-wise operators.
    """


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a partial write lands inside the output tensor: rows [first_row, ...), `offset_bytes` into each row."""

    first_row: int = 0
    offset_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RowOp:
    """One step per row of `output`. An op that accumulates or emits has one step per row of its only read instead.

    `source` is the index of the operator it was made of. `params` are `Params`, read only. `output_pixel_stride_bytes` is
    the distance of pixels in the output tensor when only some of their channels are written, else 0. `macs_per_step`
    counts multiply-accumulates.
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
    """A tensor of int32, or None. Its row r holds what earlier row ops of this operator have summed up for output row r."""

    @property
    def accumulates(self) -> bool:
        """Whether its steps take in one input row each, into an accumulator, instead of making one output row each."""
        return self.kind in _FEEDS

    @property
    def fetches(self) -> bool:
        """Whether it takes in the rows of a streamed input. Its operand holds those of one call."""
        return self.kind in _FETCHES

    @property
    def emits(self) -> bool:
        """Whether it hands over the rows of a streamed output. Its output holds those of one call, and it has a step per row
        of its operand."""
        return self.kind in _EMITS

    @property
    def rows_of_call(self) -> RowShape:
        """The rows of one call, of an op that fetches or emits."""
        return self.reads[0].shape if self.fetches else self.output_shape

    def begins_call(self, row: int) -> bool:
        """Whether row `row` is the first that a call brings, of an op that fetches. The rows of the first call are there."""
        return self.fetches and row > 0 and row % self.rows_of_call.rows == 0

    def ends_call(self, row: int) -> bool:
        """Whether row `row` completes the rows that a call hands over, of an op that emits."""
        return self.emits and ((row + 1) % self.rows_of_call.rows == 0 or row + 1 == self.steps)

    @property
    def steps(self) -> int:
        """How many steps it takes."""
        return self.reads[0].shape.rows if self.accumulates or self.emits else self.output_shape.rows

    def fault(self) -> str | None:
        """Which limit of its kind it breaks, or None. Its views are taken to have no gaps between pixels."""
        kind = kinds.of(self.kind)
        numbers = {name: 0 if isinstance(value, bytes) else value for name, value in self.params.items()}
        sources = [_view(read.shape) for read in self.reads]
        sums = self.accumulator_bytes // 4
        accumulator = View(0, 0, 1, 1, sums, 4 * sums, 0, 4) if self.accumulates else None
        if kind.accumulator is Accumulator.SUMS:
            accumulator = _view(replace(self.output_shape, element_bytes=4))
        return kind.fault(
            Case(
                numbers,
                _view(self.output_shape, self.output_pixel_stride_bytes),
                sources[0],
                sources[1] if kind.operands == 2 else None,
                accumulator,
            )
        )


def _view(shape: RowShape, pixel_stride_bytes: int = 0) -> View:
    """A view of this shape on a storage of its own."""
    stride = pixel_stride_bytes or shape.pixel_bytes
    return View(0, 0, shape.rows, shape.columns, shape.channels, stride, 0, shape.element_bytes)
