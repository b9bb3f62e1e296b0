"""The geometry of a stock convolution, as its kernel computes it to ask for scratch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tflm_split.ir.graph import Graph, Operator, Tensor


@dataclass(frozen=True, slots=True)
class StockWindow:
    """A convolution's geometry. `padding` counts the rows above and the columns to the left."""

    input: Tensor
    filters: Tensor
    output: Tensor
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]

    @property
    def channels(self) -> int:
        return self.input.shape[3]

    @property
    def taps(self) -> int:
        return prod(self.kernel)


def stock_window(graph: Graph, op: Operator) -> StockWindow:
    """Raises IndexError for operands or shapes that the kernel would refuse."""
    data, filters, output = (graph.tensors[t] for t in (op.inputs[0], op.inputs[1], op.outputs[0]))
    kernel = filters.shape[1], filters.shape[2]
    stride = pair_of(op, "stride_{}")
    dilation = pair_of(op, "dilation_{}_factor")
    padding = 0, 0
    if op.options.get("padding") == "SAME":
        spans = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        lacking = [(output.shape[a + 1] - 1) * stride[a] + spans[a] - data.shape[a + 1] for a in (0, 1)]
        padding = max(lacking[0], 0) // 2, max(lacking[1], 0) // 2
    return StockWindow(data, filters, output, kernel, stride, dilation, padding)


def pair_of(op: Operator, name: str) -> tuple[int, int]:
    return tuple(int(op.options.get(name.format(side), 1)) for side in "hw")  # type: ignore[return-value]


def rounded(number: int, to: int) -> int:
    return -(-number // to) * to
