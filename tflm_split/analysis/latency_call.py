"""The numbers that decide how many iterations each loop of a kernel makes in one step.

A kernel computes one row at a time. Its cost depends only on the op's geometry and on the row's `Edge`, mainly how many
rows of the window lie inside the input. Rows of one op with the same `Edge` cost the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tflm_split import kinds
from tflm_split.kinds import OpKind

_FEEDS = frozenset(kind for kind in OpKind if kinds.of(kind).feeds)


class Counts(dict[str, float]):
    """How often each part of a kernel runs in one step: the feature's name -> times."""

    def add(self, name: str, times: float) -> None:
        """Adds `times` to the count of `name`. A count of 0 gets no entry."""
        if times:
            self[name] = self.get(name, 0) + times


@dataclass(frozen=True, slots=True)
class Row:
    """A row of pixels: `channels` elements each, `stride_bytes` from one to the next."""

    columns: int
    channels: int
    stride_bytes: int
    element_bytes: int = 1
    rows: int = 1
    """Rows of the whole view. An operand with one row is broadcast; a feeding op finishes with the last row."""

    @property
    def elements(self) -> int:
        return self.columns * self.channels

    @property
    def gapless(self) -> bool:
        """Whether there are no gaps between its pixels."""
        return self.stride_bytes == self.channels * self.element_bytes


class Edge(NamedTuple):
    """What makes rows of one op differ in cost. A tuple, because a search makes one for every step.

    `rows_inside` of the window's rows exist, `rows_outside` are padding. `apart`: the output row overlaps no input row, so
    some kernels compute several pixels at once. If it does overlap one, `together` pixels may be written before the window
    of the first has been read. `first` and `last` matter to feeding ops: the first step clears the sums, the last one
    writes the output.
    """

    rows_inside: int = 1
    rows_outside: int = 0
    apart: bool = True
    together: int = 1
    first: bool = False
    last: bool = False


@dataclass(frozen=True, slots=True)
class Geometry:
    """An op as its kernel sees it. `params` are as in `program.types.Op`, but `*_offset` fields hold the constant's bytes."""

    kind: OpKind
    params: Mapping[str, int | float | bytes]
    input: Row
    output: Row
    input2: Row | None = None
    rectified: bool = True
    """Of floats: whether the input is behind a RELU, so that about half of it is 0. Cores without an FPU are faster then."""

    def number(self, name: str, default: int = 0) -> int:
        """A parameter that is a number; `default` where the kind has no such parameter."""
        value = self.params.get(name, default)
        return int(value) if isinstance(value, (int, float)) else default

    def constant(self, name: str) -> bytes:
        """A parameter that is a constant; empty where there is none."""
        value = self.params.get(name, b"")
        return value if isinstance(value, bytes) else b""

    @property
    def groups(self) -> int:
        return max(1, self.number("groups", 1))

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns of the window."""
        return self.number("kernel_rows", 1), self.number("kernel_columns", 1)

    @property
    def padding_counts(self) -> bool:
        """Whether a tap outside the input adds anything."""
        return self.number("input_zero_point") != 0

    @property
    def narrow(self) -> bool:
        """Whether the output's range is less than all of int8."""
        return self.number("output_min", -128) != -128 or self.number("output_max", 127) != 127

    def edge(self, row: int, apart: bool = True, together: int = 1) -> Edge:
        """The edge of the step for output row `row`, or for input row `row` of a feeding op."""
        if self.kind in _FEEDS:
            return Edge(first=row == 0, last=row == self.input.rows - 1)
        if self.kind is OpKind.ROW_SUM:  # a sum of its own for every row
            return Edge(first=True, last=True)
        if self.kind == OpKind.PAD:
            is_inside = 0 <= row - self.number("pad_rows") < self.input.rows
            return Edge(int(is_inside), int(not is_inside))
        if self.kind == OpKind.TRANSPOSE_CONV:
            reach = [row + self.number("pad_rows") - k for k in range(self.kernel[0])]
            stride = max(1, self.number("stride_rows", 1))
            inside = sum(r % stride == 0 and 0 <= r // stride < self.input.rows for r in reach)
            return Edge(inside, self.kernel[0] - inside)
        if "kernel_rows" not in self.params:
            return Edge(apart=apart)
        taps, dilation = self.number("kernel_rows", 1), self.number("dilation_rows", 1)
        origin = row * self.number("stride_rows", 1) - self.number("pad_rows")
        first = -(origin // dilation) if origin < 0 else 0
        stop = min(taps, -((origin - self.input.rows) // dilation))
        inside = max(0, stop - first)
        return Edge(inside, taps - inside, apart, together)

    def spans(self) -> Mapping[tuple[int, int], int]:
        """By (begin, end): how many output pixels have the window columns [begin, end) inside the input.

        See `split_clip_window`.
        """
        pixels: dict[tuple[int, int], int] = {}
        stride, dilation = self.number("stride_columns", 1), self.number("dilation_columns", 1)
        columns, pad = self.kernel[1], self.number("pad_columns")
        for x in range(self.output.columns):
            origin = x * stride - pad
            first = -(origin // dilation) if origin < 0 else 0
            last = -((origin - self.input.columns) // dilation) if origin < self.input.columns else 0
            end = max(min(last, columns), 0)
            span = (min(first, end), end)
            pixels[span] = pixels.get(span, 0) + 1
        return pixels

    def slow_blocks(self, size: int) -> float:
        """Blocks of `size` output channels in which some shift is not to the right.

        Optimised kernels have a fast path for blocks whose shifts are all to the right, by at least one bit.
        """
        channels = self.output.channels
        shifts = self.constant("shifts_offset")
        if not self.number("flags") & 1 or len(shifts) < channels:
            shifts = shifts[:1] * channels
        slow = [s < 128 for s in shifts]
        return sum(any(slow[c : c + size]) for c in range(0, channels // size * size, size))

    @property
    def slow_channels(self) -> int:
        """Channels whose shift is not to the right."""
        return int(self.slow_blocks(1))
