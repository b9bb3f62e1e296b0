"""The sliding window of convolutions and pools: kernel, stride, dilation and padding, with rows on the row axis."""

from __future__ import annotations

from dataclasses import dataclass

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Operator, Tensor
from tflm_split.kinds.limits import MAX_WINDOW_ROWS
from tflm_split.split.operators.common import need, option_int, option_text
from tflm_split.split.row_op import Params
from tflm_split.split.rows import RowShape, Window, row_shape, shared_axis_is_width


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a window. `pad` is the padding before index 0; all fields count indices."""

    kernel: int
    stride: int
    dilation: int
    pad: int


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """A window along rows and columns.

    `transposed`: rows run along W, so the kernel's height and width must be swapped.
    """

    rows: Axis
    columns: Axis
    source: RowShape
    target: RowShape
    transposed: bool

    @property
    def row_window(self) -> Window:
        """Which input rows an output row reads."""
        return Window(self.rows.kernel, self.rows.stride, self.rows.dilation, self.rows.pad)

    def need_readable(self) -> None:
        """Refuse a window of more rows than a step can read at once."""
        need(
            self.rows.kernel <= MAX_WINDOW_ROWS,
            "geometry",
            f"its window spans {self.rows.kernel} rows, at most {MAX_WINDOW_ROWS} can be read at once",
        )

    def params(self) -> Params:
        """The window fields of the program's parameter records."""
        return {
            "kernel_rows": self.rows.kernel,
            "kernel_columns": self.columns.kernel,
            "stride_rows": self.rows.stride,
            "stride_columns": self.columns.stride,
            "dilation_rows": self.rows.dilation,
            "dilation_columns": self.columns.dilation,
            "pad_rows": self.rows.pad,
            "pad_columns": self.columns.pad,
        }


def same_pad(inputs: int, outputs: int, kernel: int, stride: int, dilation: int) -> int:
    """The SAME padding before index 0. An odd one goes after the last (tensorflow/lite/kernels/padding.h)."""
    effective = (kernel - 1) * dilation + 1
    return max((outputs - 1) * stride + effective - inputs, 0) // 2


def window_axes(
    op: Operator, source: Tensor, target: Tensor, kernel: tuple[int, int], dilated: bool
) -> tuple[Axis, Axis]:
    """The windows of `op` along height and along width; `kernel` is (height, width).

    Raises Refusal when a window does not fit the tensors.
    """
    need(len(source.shape) == 4 and len(target.shape) == 4, "rank", "its input or output is not 4-dimensional")
    padding = option_text(op, "padding")
    axes = []
    for axis, (size, letter) in enumerate(zip(kernel, "hw", strict=True), start=1):
        stride = option_int(op, f"stride_{letter}")
        dilation = option_int(op, f"dilation_{letter}_factor", 1) if dilated else 1
        need(stride > 0 and dilation > 0 and size > 0, "geometry", "its stride, dilation or kernel is not positive")
        inputs, outputs = source.shape[axis], target.shape[axis]
        effective = (size - 1) * dilation + 1
        if padding == "SAME":
            expected, pad = -(-inputs // stride), same_pad(inputs, -(-inputs // stride), size, stride, dilation)
        elif padding == "VALID":
            expected, pad = -(-(inputs - effective + 1) // stride), 0
        elif padding == "EXPLICIT":
            before, after = ("pad_top", "pad_bottom") if letter == "h" else ("pad_left", "pad_right")
            pad = option_int(op, before)
            expected = (inputs + pad + option_int(op, after) - effective) // stride + 1
        else:
            raise Refusal("padding", f"its padding is {padding!r}")
        need(expected == outputs, "geometry", f"its output has {outputs} along {letter}, its window gives {expected}")
        fits = size <= 0xFFFF and stride <= 0xFFFF and dilation <= 0xFFFF and 0 <= pad <= 0x7FFF
        need(fits, "geometry", "its window is too large")
        axes.append(Axis(size, stride, dilation, pad))
    height, width = axes
    return height, width


def sliding_window(
    op: Operator, source: Tensor, target: Tensor, kernel: tuple[int, int], dilated: bool
) -> SlidingWindow:
    """The window of `op` along rows and columns; `kernel` is (height, width). Raises Refusal for what cannot be cut."""
    rows, columns = window_axes(op, source, target, kernel, dilated)
    transposed = shared_axis_is_width(source, target)
    if transposed:
        rows, columns = columns, rows
    return SlidingWindow(rows, columns, row_shape(source), row_shape(target), transposed)
