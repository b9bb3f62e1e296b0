"""What may an output row lie on? The kernels' promise in `split_nn/split_nn.h`, as rules that the replay asks.

**Rule 1, in order.** A kernel goes through the pixels of its output row in increasing order. It may write any part of a
pixel before it has read all of the pixel's window. So an output pixel may lie on input that only windows of earlier pixels
read. Here a window of two columns makes o of i, one byte per pixel, and time runs downwards:

    address    0    1    2    3    4
    before     .    i0   i1   i2   i3
    pixel 0    o0   i0   i1   i2   i3    reads i0 and i1
    pixel 1    o0   o1   i1   i2   i3    reads i1 and i2; o1 lies on i0, which pixel 0 was the last to read: allowed
    pixel 2    o0   o1   o2   i2   i3    reads i2 and i3; o2 lies on i1, which pixel 1 was the last to read: allowed

    address    0    1    2    3
    before     i0   i1   i2   i3
    pixel 0    o0   i1   i2   i3         reads i0 and i1; o0 lies on i0, which its own window needs: refused

**Rule 2, the same row.** A kernel that makes each element of the element in its place may write exactly the row it reads:
the same address, shape, element size and distance between pixels. Other operands follow rule 1.

    input    i0   i1   i2   i3
    output   o0   o1   o2   o3

**Rule 3, one column.** A kernel that makes channel c of channel c may write exactly one of the rows it reads, if its
window has one column and no stride or padding along columns. The window's other rows follow rule 1.

**Rule 4, closer pixels.** A kernel that makes smaller elements one by one may start at the address it reads, if its output
pixels are not further apart than its input's.

    address  0    4    8    12
    input    i0   i1   i2   i3           four bytes per element
    output   o0o1o2o3                    one byte per element, at the same address

**Rule 5, apart.** All other kernels may write on no byte that they read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tflm_split.program.types import Op, View

ColumnsRead = Callable[[Op, int, View], Iterable[int]]
"""The input columns that an output column is made of. Some may lie outside the input."""

MayReplace = Callable[[Op, View, View], bool]
"""Whether an output row that starts with a row read, both given as views, may lie on it."""


def _never(op: Op, output: View, read: View) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Shares:
    """`columns_read` for rule 1, None for rule 5; `may_replace` for rules 2 to 4, which come before rule 1."""

    columns_read: ColumnsRead | None
    may_replace: MayReplace = _never

    def last_read_columns(self, op: Op, output: View, read: View) -> npt.NDArray[np.int64]:
        """By input column: the last output column that is made of it, -1 if none is.

        Apart, each input column counts as read when all of the output is written.
        """
        if self.columns_read is None:
            return np.full(read.column_count, output.column_count, np.int64)
        last = np.full(read.column_count, -1, np.int64)
        for column in range(output.column_count):  # in increasing order, so that the last one stays
            for tap in self.columns_read(op, column, read):
                if 0 <= tap < read.column_count:
                    last[tap] = column
        return last


def same_row(op: Op, output: View, read: View) -> bool:
    """Rule 2: the row written is the row read, given that both start at one address."""
    same_shape = (output.column_count, output.channel_count, output.element_bytes) == (
        read.column_count,
        read.channel_count,
        read.element_bytes,
    )
    return same_shape and (output.column_count == 1 or output.pixel_stride_bytes == read.pixel_stride_bytes)


def one_column(op: Op, output: View, read: View) -> bool:
    """Rule 3, for a kernel that makes channel c of channel c."""
    p = op.params
    return (
        p["kernel_columns"] == p["stride_columns"] == 1 and p["pad_columns"] == 0 and same_row(op, output, read)
    )  # fmt: skip


def closer_pixels(op: Op, output: View, read: View) -> bool:
    """Rule 4."""
    return output.pixel_stride_bytes <= read.pixel_stride_bytes or output.column_count == 1


def _same_column(op: Op, column: int, read: View) -> Iterable[int]:
    """A row of one column is broadcast."""
    return (0 if read.column_count == 1 else column,)


SAME_ROW = Shares(_same_column, same_row)
CLOSER_PIXELS = Shares(_same_column, closer_pixels)
APART = Shares(None)
