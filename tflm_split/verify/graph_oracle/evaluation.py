"""What does the evaluation of one operator know? Its tensors and their values, and the arithmetic that families share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.verify import fixed_point as fp

Array = npt.NDArray[Any]

_DTYPES: Mapping[str, type[np.generic]] = MappingProxyType(
    {
        "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "BOOL": np.bool_,
        "FLOAT32": np.float32,
    }
)  # fmt: skip
_RANGES = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}


def dtype_of(tensor: Tensor) -> type[np.generic]:
    if tensor.dtype not in _DTYPES:
        raise Refusal("dtype", f"tensor {tensor.index} {tensor.name!r} has the type {tensor.dtype}")
    return _DTYPES[tensor.dtype]


def constant_of(tensor: Tensor) -> Array:
    assert tensor.data is not None
    if tensor.dtype == "INT4":
        return _halves(np.frombuffer(tensor.data, np.int8), tensor.elements).reshape(tensor.shape)
    return np.frombuffer(tensor.data, dtype_of(tensor)).reshape(tensor.shape)


def _halves(packed: Array, count: int) -> Array:
    """Numbers of 4 bits as int8: the low half of each byte, then its high half."""
    if len(packed) != (count + 1) // 2:
        raise Refusal("constant", f"{count} numbers of 4 bits lie in {len(packed)} bytes")
    low = np.left_shift(packed, 4, dtype=np.int8) >> 4
    return np.column_stack((low, packed >> 4)).reshape(-1)[:count]


class Evaluation:
    """One operator: its tensors, and their values so far."""

    def __init__(self, graph: Graph, op: Operator, values: Mapping[int, Array]) -> None:
        self.graph, self.op, self.values = graph, op, values
        self.label = graph.label(op)

    def refuse(self, kind: str, reason: str) -> Refusal:
        return Refusal(kind, f"{self.label}: {reason}")

    # Operands.

    @property
    def output(self) -> Tensor:
        return self.graph.tensors[self.op.outputs[0]]

    def has(self, position: int) -> bool:
        return position < len(self.op.inputs) and self.op.inputs[position] != ABSENT

    def tensor(self, position: int) -> Tensor:
        if not self.has(position):
            raise self.refuse("geometry", f"it has no input {position}")
        return self.graph.tensors[self.op.inputs[position]]

    def value(self, position: int) -> Array:
        tensor = self.tensor(position)
        return constant_of(tensor) if tensor.is_constant else self.values[tensor.index]

    def int8(self, position: int) -> Array:
        return self._integers(position, "INT8")

    def integers(self, position: int) -> Array:
        """An int8 or int16 operand of an output of the same type, widened."""
        return self._integers(position, "INT8", "INT16")

    def _integers(self, position: int, *dtypes: str) -> Array:
        dtype = self.tensor(position).dtype
        if dtype not in dtypes or self.output.dtype != dtype:
            raise self.refuse("dtype", f"it takes {dtype} to {self.output.dtype}")
        return self.value(position).astype(np.int64)

    def moved(self, position: int) -> Array:
        """An operand whose elements are passed on as they are, of any type."""
        if self.tensor(position).dtype != self.output.dtype:
            raise self.refuse("dtype", f"it takes {self.tensor(position).dtype} to {self.output.dtype}")
        return self.value(position)

    @property
    def is_int16(self) -> bool:
        return self.output.dtype == "INT16"

    def scale(self, tensor: Tensor) -> np.float32:
        """The one scale of a per-tensor quantisation, as the float32 it is."""
        quantization = tensor.quantization
        if quantization is None or len(quantization.scales) != 1:
            raise self.refuse("quantization", f"tensor {tensor.index} needs one scale")
        scale: np.float32 = np.float32(quantization.scales[0])
        return scale

    def zero_point(self, tensor: Tensor) -> int:
        self.scale(tensor)
        assert tensor.quantization is not None
        return tensor.quantization.zero_points[0] if tensor.quantization.zero_points else 0

    def option(self, name: str) -> Any:
        if name not in self.op.options:
            raise self.refuse("geometry", f"it has no option {name}")
        return self.op.options[name]

    # Output range.

    def finish(self, scaled: Array, activation: bool = True) -> Array:
        """Adds the output's zero point and clamps to its type, and to the fused activation."""
        low, high = _RANGES[self.output.dtype]
        if activation:
            low, high = self.activation_range()
        return np.asarray(np.clip(scaled + self.zero_point(self.output), low, high))

    def activation_range(self) -> tuple[int, int]:
        low, high = _RANGES[self.output.dtype]
        scale, zero_point = self.scale(self.output), self.zero_point(self.output)

        def quantized(real: float) -> int:
            return zero_point + fp.round_half_away(float(np.float32(real) / scale))

        match self.op.options.get("fused_activation_function", "NONE"):
            case "NONE":
                return low, high
            case "RELU":
                return max(low, quantized(0.0)), high
            case "RELU6":
                return max(low, quantized(0.0)), min(high, quantized(6.0))
            case "RELU_N1_TO_1":
                return max(low, quantized(-1.0)), min(high, quantized(1.0))
            case other:
                raise self.refuse("activation", f"its activation {other} is unknown")

    # Windows.

    def windows(
        self, x: Array, kernel: tuple[int, int], dilation: tuple[int, int], outside: Any
    ) -> tuple[Array, Array]:
        """The window's taps in `x` [kernel positions, batch, rows, columns, channels], and which of them lie inside it.

        The second is [kernel positions, rows, columns]; a tap outside holds `outside`.
        """
        if x.ndim != 4 or len(self.output.shape) != 4:
            raise self.refuse("geometry", f"its input has {x.ndim} dimensions")
        axes = []
        for axis, name in enumerate(("h", "w")):
            stride, size, count = int(self.option(f"stride_{name}")), x.shape[1 + axis], self.output.shape[1 + axis]
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            match self.option("padding"):
                case "SAME":
                    pad = max(0, (count - 1) * stride + reach - size) // 2
                case "VALID":
                    pad = 0
                case "EXPLICIT":
                    pad = int(self.option("pad_top" if axis == 0 else "pad_left"))
                case other:
                    raise self.refuse("geometry", f"its padding {other} is unknown")
            starts = np.arange(count) * stride - pad
            axes.append(starts[None, :] + (np.arange(kernel[axis]) * dilation[axis])[:, None])
        taps, inside = [], []
        for rows in axes[0]:
            for columns in axes[1]:
                row_in = (rows >= 0) & (rows < x.shape[1])
                column_in = (columns >= 0) & (columns < x.shape[2])
                exists = row_in[:, None] & column_in[None, :]
                tap = x[:, np.clip(rows, 0, x.shape[1] - 1)][:, :, np.clip(columns, 0, x.shape[2] - 1)]
                taps.append(np.where(exists[None, :, :, None], tap, outside))
                inside.append(exists)
        return np.stack(taps), np.stack(inside)

    def dilation(self) -> tuple[int, int]:
        return int(self.option("dilation_h_factor")), int(self.option("dilation_w_factor"))

    def requantize(self, sums: Array, filter_axis: int, source: int = 0, bias: int = 2) -> Array:
        """Adds the bias and scales by input scale * filter scale / output scale, one or one per output channel.

        `source` and `bias` are the operands' positions.
        """
        weights = self.tensor(1)
        quantization = weights.quantization
        channels = sums.shape[-1]
        if quantization is None or any(quantization.zero_points):
            raise self.refuse("quantization", "its weights need scales and zero points of 0")
        if len(quantization.scales) not in (1, channels) or (
            len(quantization.scales) > 1 and quantization.axis != filter_axis
        ):
            raise self.refuse("quantization", f"its weights have {len(quantization.scales)} scales")
        wide = self.is_int16 and self._bias_type(bias) != "INT32"
        if self.has(bias):
            if self.tensor(bias).dtype != ("INT64" if wide else "INT32"):
                raise self.refuse("dtype", f"its bias is {self.tensor(bias).dtype}")
            sums = sums + self.value(bias).astype(np.int64)
        s_in, s_out = self.scale(self.tensor(source)), self.scale(self.output)
        scaled = [
            fp.quantize_multiplier(float(s_in) * float(np.float32(s_weight)) / float(s_out))
            for s_weight in quantization.scales
        ]
        multipliers, shifts = (np.array(column, np.int64) for column in zip(*scaled, strict=True))
        if wide and shifts.max() > 7:
            raise self.refuse("quantization", f"its scales give a left shift of {shifts.max()}")
        return self.finish(
            fp.multiply_wide(sums, multipliers, shifts) if wide else fp.multiply(fp.wrap32(sums), multipliers, shifts)
        )

    def _bias_type(self, bias: int) -> str:
        """How wide int16 sums are: as the bias is, or as the operator says where it has none."""
        return self.tensor(bias).dtype if self.has(bias) else str(self.op.options.get("quantized_bias_type", ""))


Evaluate = Mapping[str, Callable[[Evaluation], "Array | Sequence[Array]"]]
"""By kind of operator: its output's value, or those of all outputs."""


def matrix_product(a: Array, b: Array) -> Array:
    """a @ b of small integers, through doubles: exact below 2**53, and fast."""
    return np.asarray(a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
