"""How is a tensor cut into rows, and which input rows does an output row need?

The row axis is H of [1, H, W, C] (W when H is 1), the tokens of [1, T, C], the batch of [N, C]:

    [1, 3, 4, 2]     row 0 | row 1 | row 2 |       4 pixels per row, 2 channels per pixel

In every case the rows follow each other in the tensor's bytes. So a row is a byte range, and nothing is moved to cut a
tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ELEMENT_BYTES, Tensor

MAX_COUNT = 0xFFFF
"""The most rows, and the most columns: the program format stores them as u16."""
MAX_CUT_BYTES = 16 * 1024 * 1024
"""The largest tensor that is cut. No microcontroller has as much memory, and the replay follows every byte."""


@dataclass(frozen=True, slots=True)
class RowShape:
    """A tensor seen as `rows` rows of `columns` pixels of `channels` elements."""

    rows: int
    columns: int
    channels: int
    element_bytes: int = 1

    @property
    def pixel_bytes(self) -> int:
        return self.channels * self.element_bytes

    @property
    def row_bytes(self) -> int:
        return self.columns * self.pixel_bytes

    @property
    def bytes(self) -> int:
        return self.rows * self.row_bytes


@dataclass(frozen=True, slots=True)
class Window:
    """Output row r reads input rows `r * stride - pad + k * dilation`, k in [0, kernel), those that exist.

    `Window(stride=0)` is a broadcast: every output row reads row 0.
    """

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0

    def rows(self, row: int, available_rows: int) -> range:
        """The input rows output row `row` touches, in increasing order."""
        first = row * self.stride - self.pad
        skip = 0 if first >= 0 else -(first // self.dilation)
        stop = min(first + self.kernel * self.dilation, available_rows)
        return range(first + skip * self.dilation, max(stop, 0), self.dilation)


@dataclass(frozen=True, slots=True)
class TransposedWindow:
    """Input row i adds to output rows `i * stride - pad + k`, k in [0, kernel): a transposed convolution.

    An output row that no tap reaches reads nothing (stride above kernel).
    """

    kernel: int
    stride: int
    pad: int = 0

    def rows(self, row: int, available_rows: int) -> range:
        """The input rows output row `row` touches, in increasing order."""
        first = -(-(row + self.pad - self.kernel + 1) // self.stride)
        stop = (row + self.pad) // self.stride + 1
        return range(max(first, 0), max(min(stop, available_rows), 0))


@dataclass(frozen=True, slots=True)
class MappedRow:
    """Output row r reads input row `row_map[r]` only."""

    row_map: tuple[int, ...]

    def rows(self, row: int, available_rows: int) -> range:
        """The input row output row `row` touches."""
        return range(self.row_map[row], self.row_map[row] + 1)


@dataclass(frozen=True, slots=True)
class Between:
    """Output row r reads input row `first[r]`, and the next one where `both[r]`."""

    first: tuple[int, ...]
    both: tuple[bool, ...]

    def rows(self, row: int, available_rows: int) -> range:
        """The one or two input rows output row `row` touches."""
        return range(self.first[row], self.first[row] + 1 + self.both[row])


@dataclass(frozen=True, slots=True)
class BatchRows:
    """Output rows come in batches of `output_rows`. Each output row reads all `input_rows` rows of its batch.

    An input of one batch serves all batches.
    """

    output_rows: int
    input_rows: int

    def rows(self, row: int, available_rows: int) -> range:
        """The input rows output row `row` touches, in increasing order."""
        first = row // self.output_rows * self.input_rows % available_rows
        return range(first, first + self.input_rows)


@dataclass(frozen=True, slots=True)
class RecutRows:
    """Output row r holds elements [first + r * written, first + (r + 1) * written) of input rows of `read` elements."""

    read: int
    written: int
    first: int = 0

    def rows(self, row: int, available_rows: int) -> range:
        """The input rows output row `row` touches, in increasing order."""
        begin = self.first + row * self.written
        return range(begin // self.read, (begin + self.written - 1) // self.read + 1)


@dataclass(frozen=True, slots=True)
class RowsOfCall:
    """The input holds the rows of one call. Output row r reads the one that is row r of the whole tensor."""

    rows_per_call: int

    def rows(self, row: int, available_rows: int) -> range:
        """The input row output row `row` touches."""
        return range(row % self.rows_per_call, row % self.rows_per_call + 1)


SAME_ROW = Window()
ROW_ZERO = Window(stride=0)


def row_shape(tensor: Tensor) -> RowShape:
    """`tensor` cut along its row axis.

    Raises Refusal when its rank, batch, type or size leaves no row axis.
    """
    if tensor.dtype not in ELEMENT_BYTES:
        raise Refusal("dtype", f"tensor {tensor.name!r} is {tensor.dtype}")
    shape = tensor.shape
    if len(shape) > 4:
        raise Refusal("rank", f"tensor {tensor.name!r} has {len(shape)} dimensions, at most 4 can be cut into rows")
    if any(d == 0 for d in shape):
        raise Refusal("shape", f"tensor {tensor.name!r} is empty")
    element_bytes = ELEMENT_BYTES[tensor.dtype]
    if len(shape) == 4:
        batch, height, width, channels = shape
        if batch != 1:
            raise Refusal("batch", f"batch is {batch}, needs 1")
        rows, columns = (height, width) if height > 1 else (width, 1)
    else:
        rows, columns, channels = prod(shape[:-1]), 1, (shape[-1] if shape else 1)
    if rows > MAX_COUNT or columns > MAX_COUNT:
        raise Refusal("shape", f"tensor {tensor.name!r} has more than {MAX_COUNT} rows or columns")
    if tensor.bytes > MAX_CUT_BYTES:
        raise Refusal("size", f"tensor {tensor.name!r} has {tensor.bytes:,} bytes, more than are cut into rows")
    return RowShape(rows, columns, channels, element_bytes)


def rows_run_along_width(tensor: Tensor) -> bool:
    """Whether the row axis of a 4-D tensor is W (because H is 1)."""
    return len(tensor.shape) == 4 and tensor.shape[1] == 1


def shared_axis_is_width(source: Tensor, target: Tensor) -> bool:
    """Whether the rows of both 4-D maps run along W; a map of one pixel fits either.

    Raises Refusal when one runs along H and the other along W.
    """
    need_width = [rows_run_along_width(t) for t in (source, target) if t.shape[2] > 1 or t.shape[1] > 1]
    if need_width and any(w != need_width[0] for w in need_width):
        raise Refusal("geometry", "its input and output are cut along different axes")
    return bool(need_width) and need_width[0]
