"""What does a graph compute, operator by operator? An independent whole-tensor interpreter in numpy.

`run_graph` evaluates the int8 operators the compiler can split, bit for bit as TFLM's reference kernels do (double
rounding). Tests hold it against the real TFLM on whole models; the compiler's own output is then held against it where
TFLM cannot go (a graph after `rewrite`, with `padding="EXPLICIT"`). Operators it does not know raise Refusal: it never
guesses. It shares no code with the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InputError, Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.verify import fixed_point as fp

Array = npt.NDArray[Any]

_DTYPES: Mapping[str, type[np.generic]] = MappingProxyType(
    {"INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32}
)


def run_graph(graph: Graph, inputs: Sequence[bytes | Array]) -> dict[int, Array]:
    """Every activation's value by tensor index, given the graph inputs' values in order.

    Raises InputError when the inputs do not fit the graph and Refusal for an operator or a case this oracle does not
    know.
    """
    if len(inputs) != len(graph.inputs):
        raise InputError(f"the graph takes {len(graph.inputs)} inputs, and {len(inputs)} were given")
    values: dict[int, Array] = {}
    for i, (index, given) in enumerate(zip(graph.inputs, inputs, strict=True)):
        tensor = graph.tensors[index]
        data = given if isinstance(given, bytes) else np.ascontiguousarray(given).tobytes()
        if len(data) != tensor.bytes:
            raise InputError(f"input {i} of the graph has {tensor.bytes} bytes, and {len(data)} were given")
        values[index] = np.frombuffer(data, _dtype(tensor)).reshape(tensor.shape)
    for op in graph.operators:
        result = _Evaluation(graph, op, values).run()
        output = graph.tensors[op.outputs[0]]
        values[output.index] = result.reshape(output.shape).astype(_dtype(output))
    return values


def run_graph_outputs(graph: Graph, inputs: Sequence[bytes | Array]) -> list[Array]:
    """The graph outputs' values, in order."""
    values = run_graph(graph, inputs)
    return [values[t] if t in values else _constant(graph.tensors[t]) for t in graph.outputs]


def _dtype(tensor: Tensor) -> type[np.generic]:
    if tensor.dtype not in _DTYPES:
        raise Refusal("dtype", f"tensor {tensor.index} {tensor.name!r} has the type {tensor.dtype}")
    return _DTYPES[tensor.dtype]


def _constant(tensor: Tensor) -> Array:
    assert tensor.data is not None
    return np.frombuffer(tensor.data, _dtype(tensor)).reshape(tensor.shape)


class _Evaluation:
    """One operator: its tensors, and their values so far."""

    def __init__(self, graph: Graph, op: Operator, values: Mapping[int, Array]) -> None:
        self.graph, self.op, self.values = graph, op, values
        self.label = graph.label(op)

    def refuse(self, kind: str, reason: str) -> Refusal:
        return Refusal(kind, f"{self.label}: {reason}")

    def run(self) -> Array:
        if self.op.kind not in _EVALUATE or len(self.op.outputs) != 1:
            raise self.refuse("operator", "this oracle does not know it")
        return _EVALUATE[self.op.kind](self)

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
        return _constant(tensor) if tensor.is_constant else self.values[tensor.index]

    def int8(self, position: int) -> Array:
        if self.tensor(position).dtype != "INT8" or self.output.dtype != "INT8":
            raise self.refuse("dtype", f"it takes {self.tensor(position).dtype} to {self.output.dtype}")
        return self.value(position).astype(np.int64)

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
        low, high = (0, 255) if self.output.dtype == "UINT8" else (-128, 127)
        if activation:
            low, high = self.activation_range(low, high)
        return np.asarray(np.clip(scaled + self.zero_point(self.output), low, high))

    def activation_range(self, low: int, high: int) -> tuple[int, int]:
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

    def windows(self, kernel: tuple[int, int], dilation: tuple[int, int], outside: int) -> tuple[Array, Array]:
        """The window's taps [kernel positions, batch, rows, columns, channels], and which of them lie inside the input.

        The second is [kernel positions, rows, columns]; a tap outside holds `outside`.
        """
        x = self.int8(0)
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
        if self.has(bias):
            if self.tensor(bias).dtype != "INT32":
                raise self.refuse("dtype", f"its bias is {self.tensor(bias).dtype}")
            sums = sums + self.value(bias).astype(np.int64)
        s_in, s_out = self.scale(self.tensor(source)), self.scale(self.output)
        scaled = [
            fp.quantize_multiplier(float(s_in) * float(np.float32(s_weight)) / float(s_out))
            for s_weight in quantization.scales
        ]
        multipliers, shifts = (np.array(column, np.int64) for column in zip(*scaled, strict=True))
        return self.finish(fp.multiply(fp.wrap32(sums), multipliers, shifts))


def _matrix_product(a: Array, b: Array) -> Array:
    """a @ b of small integers, through doubles: exact below 2**53, and fast."""
    return np.asarray(a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)


def _conv(e: _Evaluation) -> Array:
    weights = e.value(1).astype(np.int64)
    if e.tensor(1).dtype != "INT8" or weights.ndim != 4:
        raise e.refuse("dtype", f"its weights are {e.tensor(1).dtype} with {weights.ndim} dimensions")
    out_channels, rows, columns, depth = weights.shape
    zero_point = e.zero_point(e.tensor(0))
    taps, _ = e.windows((rows, columns), e.dilation(), zero_point)
    if taps.shape[-1] % depth:
        raise e.refuse("geometry", f"{taps.shape[-1]} input channels are no multiple of the filter's {depth}")
    taps = taps - zero_point
    groups = taps.shape[-1] // depth
    per_group = out_channels // groups
    parts = []
    for g in range(groups):
        total: Any = 0
        for tap, kernel in zip(taps, weights.reshape(out_channels, -1, depth).transpose(1, 2, 0), strict=True):
            part = tap[..., g * depth : (g + 1) * depth]
            total = total + _matrix_product(part, kernel[:, g * per_group : (g + 1) * per_group])
        parts.append(total)
    return e.requantize(np.concatenate(parts, axis=-1), 0)


def _depthwise(e: _Evaluation) -> Array:
    weights = e.value(1).astype(np.int64)
    if e.tensor(1).dtype != "INT8" or weights.ndim != 4 or weights.shape[0] != 1:
        raise e.refuse("dtype", f"its weights are {e.tensor(1).dtype} of shape {list(weights.shape)}")
    zero_point = e.zero_point(e.tensor(0))
    taps, _ = e.windows((weights.shape[1], weights.shape[2]), e.dilation(), zero_point)
    multiplier, rest = divmod(weights.shape[3], taps.shape[-1])
    if rest:
        raise e.refuse("geometry", f"{weights.shape[3]} output channels of {taps.shape[-1]} input channels")
    total: Any = 0
    for tap, kernel in zip(taps - zero_point, weights.reshape(-1, weights.shape[3]), strict=True):
        total = total + np.repeat(tap, multiplier, axis=-1) * kernel
    return e.requantize(total, 3)


def _transpose_conv(e: _Evaluation) -> Array:
    """Operands: output shape, weights [out, rows, columns, in], input, bias. Input pixels are scattered over the output.

    The padding is that of the convolution whose input is this output (TFLM's transpose_conv.cc).
    """
    weights = e.value(1).astype(np.int64)
    if e.tensor(1).dtype != "INT8" or weights.ndim != 4:
        raise e.refuse("dtype", f"its weights are {e.tensor(1).dtype} with {weights.ndim} dimensions")
    x = e.int8(2) - e.zero_point(e.tensor(2))
    out_channels, *kernel, _ = weights.shape
    shape = e.output.shape
    strides, pads = [], []
    for size, taps, name in zip(shape[1:3], kernel, "hw", strict=True):
        stride = int(e.option(f"stride_{name}"))
        match e.option("padding"):
            case "SAME":
                pads.append(max(0, (-(-size // stride) - 1) * stride + taps - size) // 2)
            case "VALID":
                pads.append(0)
            case other:
                raise e.refuse("geometry", f"its padding {other} is unknown")
        strides.append(stride)
    ends = [
        max((n - 1) * s + k, p + o)
        for n, s, k, p, o in zip(x.shape[1:3], strides, kernel, pads, shape[1:3], strict=True)
    ]
    full = np.zeros((x.shape[0], *ends, out_channels), np.int64)
    for k in range(kernel[0]):
        for t in range(kernel[1]):
            rows = slice(k, k + (x.shape[1] - 1) * strides[0] + 1, strides[0])
            columns = slice(t, t + (x.shape[2] - 1) * strides[1] + 1, strides[1])
            full[:, rows, columns] += _matrix_product(x, weights[:, k, t].T)
    kept = full[:, pads[0] : pads[0] + shape[1], pads[1] : pads[1] + shape[2]]
    return e.requantize(kept, 0, source=2, bias=3)


def _resize_nearest(e: _Evaluation) -> Array:
    """Which pixel is nearest is decided in float, as in TFLM's resize_nearest_neighbor.h."""
    x = e.int8(0)
    align, centers = bool(e.option("align_corners")), bool(e.option("half_pixel_centers"))
    for axis, count in ((1, int(e.value(1)[0])), (2, int(e.value(1)[1]))):
        size = x.shape[axis]
        offset = np.float32(0.5 if centers else 0)
        ratio = (size - 1, count - 1) if align and count > 1 else (size, count)
        at = (np.arange(count, dtype=np.float32) + offset) * (np.float32(ratio[0]) / np.float32(ratio[1]))
        nearest = np.floor(at.astype(np.float64) + 0.5) if align else np.floor(at)
        x = np.take(x, np.minimum(nearest.astype(np.int64), size - 1), axis)
    return x


def _resize_bilinear(e: _Evaluation) -> Array:
    """Positions and weights in steps of 1/1024, along the columns and then along the rows, one rounding at the end."""
    x = e.int8(0)
    align, centers = bool(e.option("align_corners")), bool(e.option("half_pixel_centers"))
    for axis, count in ((2, int(e.value(1)[1])), (1, int(e.value(1)[0]))):
        size = x.shape[axis]
        spans, gaps = (size - 1, count - 1) if align and count > 1 else (size, count)
        scale = (1024 * spans + gaps // 2) // gaps
        at = np.arange(count) * scale + (scale // 2 - 512 if centers else 0)
        before = np.maximum(fp.divide_to_zero(at, np.int64(1024)), 0)
        after = np.minimum(fp.divide_to_zero(at + 1023, np.int64(1024)), size - 1)
        if before.max() >= size:
            raise e.refuse("geometry", "TFLM reads beyond its input")
        weight = (at - 1024 * before).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
        x = np.take(x, before, axis) * (1024 - weight) + np.take(x, after, axis) * weight
    return fp.divide_to_zero(np.where(x > 0, x + (1 << 19), x - (1 << 19)), np.int64(1 << 20))


def _blocks(e: _Evaluation) -> Array:
    """SPACE_TO_DEPTH and DEPTH_TO_SPACE: the axes (row, row in block, column, column in block, channel), reordered."""
    x, block = e.int8(0), int(e.option("block_size"))
    batch, height, width, channels = x.shape
    if e.op.kind == "SPACE_TO_DEPTH":
        parts = x.reshape(batch, height // block, block, width // block, block, channels)
    else:
        parts = x.reshape(batch, height, width, block, block, channels // block**2)
    return np.asarray(parts.transpose(0, 1, 3, 2, 4, 5))


def _gather(e: _Evaluation) -> Array:
    if e.op.options.get("batch_dims", 0) or e.tensor(0).dtype != "INT8":
        raise e.refuse("geometry", "it gathers by batches, or not int8")
    return np.take(e.value(0), e.value(1), int(e.option("axis")))


def _pack(e: _Evaluation) -> Array:
    return np.stack([e.int8(i) for i in range(len(e.op.inputs))], axis=int(e.option("axis")))


def _slice(e: _Evaluation) -> Array:
    """SLICE and STRIDED_SLICE, the latter as Python slices mean it."""
    x = e.int8(0)
    begin = [int(b) for b in e.value(1)]
    if e.op.kind == "SLICE":
        return x[tuple(slice(b, b + n) for b, n in zip(begin, e.output.shape, strict=True))]
    if any(e.op.options.get(f"{mask}_mask", 0) for mask in ("ellipsis", "new_axis")):
        raise e.refuse("geometry", "it has a mask this oracle does not know")
    end, strides = ([int(v) for v in e.value(k)] for k in (2, 3))
    masks = [int(e.op.options.get(f"{mask}_mask", 0)) for mask in ("begin", "end", "shrink_axis")]
    cuts: list[slice | int] = []
    for axis, (first, last, stride) in enumerate(zip(begin, end, strides, strict=True)):
        no_begin, no_end, one = (mask >> axis & 1 for mask in masks)
        cuts.append(first if one else slice(None if no_begin else first, None if no_end else last, stride))
    return x[tuple(cuts)]


def _fully_connected(e: _Evaluation) -> Array:
    weights = e.value(1).astype(np.int64)
    if e.tensor(1).dtype != "INT8" or weights.ndim != 2:
        raise e.refuse("dtype", f"its weights are {e.tensor(1).dtype} with {weights.ndim} dimensions")
    if e.op.options.get("weights_format", "DEFAULT") != "DEFAULT":
        raise e.refuse("geometry", f"its weights are in the format {e.option('weights_format')}")
    x = e.int8(0).reshape(-1, weights.shape[1]) - e.zero_point(e.tensor(0))
    return e.requantize(_matrix_product(x, weights.T), 0)


def _add_or_sub(e: _Evaluation) -> Array:
    a, b = e.tensor(0), e.tensor(1)
    s1, s2, so = e.scale(a), e.scale(b), e.scale(e.output)
    # In double for both: older TFLM sources have SUB in float, the pinned wheel does not (tests hold it to that).
    twice = 2 * float(max(s1, s2))
    ratios = float(s1) / twice, float(s2) / twice, twice / ((1 << 20) * float(so))
    (m1, h1), (m2, h2), (mo, ho) = (fp.quantize_multiplier(r) for r in ratios)
    x = fp.multiply((e.int8(0) - e.zero_point(a)) << 20, m1, h1)
    y = fp.multiply((e.int8(1) - e.zero_point(b)) << 20, m2, h2)
    return e.finish(fp.multiply(fp.wrap32(x + y if e.op.kind == "ADD" else x - y), mo, ho))


def _squared_difference(e: _Evaluation) -> Array:
    """Seven bits of headroom per operand, fourteen in the square."""
    a, b = e.tensor(0), e.tensor(1)
    twice = 2 * float(max(e.scale(a), e.scale(b)))
    (m1, h1), (m2, h2) = (fp.quantize_multiplier(float(e.scale(t)) / twice) for t in (a, b))
    mo, ho = fp.quantize_multiplier(twice * twice / ((1 << 14) * float(e.scale(e.output))))
    x = fp.multiply((e.int8(0) - e.zero_point(a)) << 7, m1, h1)
    y = fp.multiply((e.int8(1) - e.zero_point(b)) << 7, m2, h2)
    return e.finish(fp.multiply((x - y) ** 2, mo, ho))


def _prelu(e: _Evaluation) -> Array:
    a, slope = e.tensor(0), e.tensor(1)
    ratio = float(e.scale(a)) / float(e.scale(e.output))
    x = e.int8(0) - e.zero_point(a)
    m, h = fp.quantize_multiplier(float(e.scale(a)) * float(e.scale(slope)) / float(e.scale(e.output)))
    below = fp.multiply(x * (e.int8(1) - e.zero_point(slope)), m, h)
    return e.finish(np.where(x >= 0, fp.multiply(x, *fp.quantize_multiplier(ratio)), below))


def _extreme(e: _Evaluation) -> Array:
    return np.asarray((np.minimum if e.op.kind == "MINIMUM" else np.maximum)(e.int8(0), e.int8(1)))


def _mul(e: _Evaluation) -> Array:
    a, b = e.tensor(0), e.tensor(1)
    m, h = fp.quantize_multiplier(float(e.scale(a)) * float(e.scale(b)) / float(e.scale(e.output)))
    return e.finish(fp.multiply((e.int8(0) - e.zero_point(a)) * (e.int8(1) - e.zero_point(b)), m, h))


def _pool(e: _Evaluation) -> Array:
    kernel = int(e.option("filter_height")), int(e.option("filter_width"))
    average = e.op.kind == "AVERAGE_POOL_2D"
    taps, inside = e.windows(kernel, (1, 1), 0 if average else -128)
    if average:
        counts = inside.sum(axis=0)[None, :, :, None]
        sums = taps.sum(axis=0)
        pooled = fp.divide_to_zero(np.where(sums > 0, sums + counts // 2, sums - counts // 2), counts)
    else:
        pooled = taps.max(axis=0)
    return np.clip(pooled, *e.activation_range(-128, 127))


def _mean(e: _Evaluation) -> Array:
    """MEAN, SUM and REDUCE_MAX."""
    x = e.int8(0)
    axes = tuple(sorted({int(axis) % x.ndim for axis in e.value(1).reshape(-1)}))
    if e.op.kind == "REDUCE_MAX":
        return np.asarray(x.max(axis=axes))
    count = int(np.prod([x.shape[axis] for axis in axes], dtype=np.int64))
    m, h = fp.quantize_multiplier(float(e.scale(e.tensor(0))) / float(e.scale(e.output)))
    shift = min(count.bit_length() - 1, 32, 31 + h) if e.op.kind == "MEAN" else 0
    m, h = ((m << shift) // count, h - shift) if e.op.kind == "MEAN" else (m, h)
    sums = fp.wrap32(x.sum(axis=axes) - e.zero_point(e.tensor(0)) * count)
    return e.finish(fp.multiply(sums, m, h), activation=False)


def _relu(e: _Evaluation) -> Array:
    tensor = e.tensor(0)
    m, h = fp.quantize_multiplier(float(e.scale(tensor)) / float(e.scale(e.output)))
    scaled = fp.multiply(e.int8(0) - e.zero_point(tensor), m, h)
    return np.clip(scaled + e.zero_point(e.output), max(-128, e.zero_point(e.output)), 127)


def _relu6(e: _Evaluation) -> Array:
    """TFLM clamps the numbers as they are, on the input's scale."""
    tensor = e.tensor(0)
    zero_point = e.zero_point(tensor)
    six = zero_point + fp.round_half_away(float(np.float32(6) / e.scale(tensor)))
    return np.clip(e.int8(0), zero_point, min(127, six))


def _abs(e: _Evaluation) -> Array:
    tensor = e.tensor(0)
    s_in, s_out = e.scale(tensor), e.scale(e.output)
    x = np.abs(e.int8(0) - e.zero_point(tensor))
    if s_in != s_out:
        x = fp.multiply(x, *fp.quantize_multiplier(float(np.float32(s_in / s_out))))
    return e.finish(x, activation=False)


def _rsqrt(e: _Evaluation) -> Array:
    """The root by Newton's method on integers (Q28 between 1/4 and 1), as TFLM takes it."""
    tensor = e.tensor(0)
    x = e.int8(0) - e.zero_point(tensor)
    if e.zero_point(tensor) != -128:
        raise e.refuse("quantization", "TFLM stops at an input below its zero point")
    real = 1 / float(np.float32(np.float32(np.sqrt(e.scale(tensor))) * e.scale(e.output)))
    m, h = fp.quantize_multiplier(real)
    result = np.full(x.shape, 127, np.int64)
    for value in np.unique(x[x > 0]).tolist():
        root, shift = 2**31 - 1, 0
        if value > 1:
            pairs = 0
            while value << 2 * (pairs + 1) < 1 << 29:
                pairs += 1
            shift = pairs - 11
            half = fp.rounding_shift_right(value << 2 * pairs >> 1, 1)
            y: Any = 1 << 28
            for _ in range(5):
                cube = np.clip(fp.high_mul(fp.high_mul(y, y), y) << 6, fp.MIN32, fp.MAX32)
                y = np.clip((fp.high_mul(3 << 27, y) - fp.high_mul(half, cube)) << 3, fp.MIN32, fp.MAX32)
            root = int(fp.high_mul(y, 1518500250))
        fine = fp.multiply(np.array([1]), root, shift + 20)
        result[x == value] = np.clip(fp.multiply(fine, m, h - 20) + e.zero_point(e.output), -128, 127)[0]
    return result


def _saturating(e: _Evaluation, function: Callable[[Array], Array], fraction_bits: int, offset: int) -> Array:
    """LOGISTIC and TANH: the input on a scale with 4 integer bits; saturated beyond what fits there."""
    tensor = e.tensor(0)
    x = e.int8(0) - e.zero_point(tensor)
    multiplier, left_shift = fp.quantize_multiplier(float(e.scale(tensor)) * 2.0**27)
    if left_shift < 0:
        raise e.refuse("quantization", "its input scale is too small")
    radius = fp.input_radius(4, left_shift)
    scaled = fp.multiply(x, multiplier, left_shift)
    # What is beyond the radius may overflow on the way; its value is not used.
    result = fp.rounding_shift_right(function(np.where(np.abs(x) < radius, scaled, 0)), fraction_bits) + offset
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, np.clip(result, -128, 127)))


def _logistic(e: _Evaluation) -> Array:
    return _saturating(e, fp.logistic, 23, -128)


def _tanh(e: _Evaluation) -> Array:
    return _saturating(e, fp.tanh, 24, 0)


def _hard_swish(e: _Evaluation) -> Array:
    tensor = e.tensor(0)
    fine_scale = float(e.scale(tensor)) / 128
    output_multiplier, output_shift = fp.quantize_multiplier(fine_scale / float(e.scale(e.output)))
    relu_multiplier, relu_shift = fp.quantize_multiplier(fine_scale / (3 / 32768))
    if output_shift > 0:
        raise e.refuse("quantization", "its output scale is too small")

    def to_int16(multiplier: int) -> int:
        return 2**15 - 1 if multiplier >= 2**31 - 1 - (1 << 15) else (multiplier + (1 << 15)) >> 16

    def int16(x: Array) -> Array:
        return np.clip(x, -(2**15), 2**15 - 1)

    fine = (e.int8(0) - e.zero_point(tensor)) << 7
    on_output_scale = fp.high_mul16(fine, to_int16(output_multiplier))
    relu = fine
    if relu_shift > 0:
        relu = int16(relu << (relu_shift - 1))
    relu = fp.high_mul16(relu, to_int16(relu_multiplier))
    if relu_shift > 0:
        relu = int16(relu << 1)
    if relu_shift < 0:
        relu = fp.rounding_shift_right(relu, -relu_shift)
    relu = (relu + (1 << 15)) >> 1
    product = fp.divide_to_zero(relu * on_output_scale, 1 << 15)
    return e.finish(fp.rounding_shift_right(product, -output_shift), activation=False)


def _leaky_relu(e: _Evaluation) -> Array:
    tensor = e.tensor(0)
    s_in, s_out = float(e.scale(tensor)), float(e.scale(e.output))
    x = e.int8(0) - e.zero_point(tensor)
    alpha = float(np.float32(e.option("alpha")))
    if alpha < 0:
        raise e.refuse("activation", f"its slope is {alpha}")
    positive = fp.multiply(x, *fp.quantize_multiplier(s_in / s_out))
    negative = fp.multiply(x, *fp.quantize_multiplier(s_in * alpha / s_out))
    return e.finish(np.where(x >= 0, positive, negative), activation=False)


def _softmax(e: _Evaluation) -> Array:
    tensor = e.tensor(0)
    x = e.int8(0)
    if float(e.scale(e.output)) != 1 / 256 or e.zero_point(e.output) != -128:
        raise e.refuse("quantization", "its output needs the scale 1/256 and the zero point -128")
    real = min(float(np.float32(e.option("beta"))) * float(e.scale(tensor)) * (1 << 26), 2.0**31 - 1)
    multiplier, left_shift = fp.quantize_multiplier(real)
    if left_shift < 0:
        raise e.refuse("quantization", "its input scale is too small")
    below = x.max(axis=-1, keepdims=True) - x
    counted = below <= fp.input_radius(5, left_shift)
    scaled = fp.multiply(np.where(counted, -below, 0), multiplier, left_shift)
    return fp.softmax_from_exps(fp.exp_on_negative_values(scaled, 5), counted)


def _quantize(e: _Evaluation) -> Array:
    tensor = e.tensor(0)
    if (tensor.dtype, e.output.dtype) == ("FLOAT32", "INT8"):
        scaled = (e.value(0) / e.scale(e.output)).astype(np.float64)
        rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
        return e.finish(np.clip(rounded, fp.MIN32, fp.MAX32).astype(np.int64), activation=False)
    if (tensor.dtype, e.output.dtype) not in (("INT8", "INT8"), ("INT8", "UINT8"), ("UINT8", "INT8")):
        raise e.refuse("dtype", f"it takes {tensor.dtype} to {e.output.dtype}")
    m, h = fp.quantize_multiplier(float(e.scale(tensor)) / float(e.scale(e.output)))
    return e.finish(fp.multiply(e.value(0).astype(np.int64) - e.zero_point(tensor), m, h), activation=False)


def _dequantize(e: _Evaluation) -> Array:
    tensor = e.tensor(0)
    if tensor.dtype not in ("INT8", "UINT8") or e.output.dtype != "FLOAT32":
        raise e.refuse("dtype", f"it takes {tensor.dtype} to {e.output.dtype}")
    return (float(e.scale(tensor)) * (e.value(0).astype(np.float64) - e.zero_point(tensor))).astype(np.float32)


def _batch_matmul(e: _Evaluation) -> Array:
    a, b = (e.int8(k) - e.zero_point(e.tensor(k)) for k in (0, 1))
    a = np.swapaxes(a, -1, -2) if e.option("adj_x") else a
    b = np.swapaxes(b, -1, -2) if e.option("adj_y") else b
    ratio = float(e.scale(e.tensor(0))) * float(e.scale(e.tensor(1))) / float(e.scale(e.output))
    return e.finish(fp.multiply(fp.wrap32(_matrix_product(a, b)), *fp.quantize_multiplier(ratio)), activation=False)


def _byte_function(e: _Evaluation) -> Array:
    table = np.frombuffer(bytes.fromhex(e.option("table")), _dtype(e.output))
    return np.asarray(table[e.value(0).view(np.uint8)])


def _transpose(e: _Evaluation) -> Array:
    return np.transpose(e.value(0), e.value(1).tolist())


def _concatenation(e: _Evaluation) -> Array:
    if e.op.options.get("fused_activation_function", "NONE") != "NONE":
        raise e.refuse("activation", "it has an activation")
    return np.concatenate([e.int8(i) for i in range(len(e.op.inputs))], axis=int(e.option("axis")))


def _pad(e: _Evaluation) -> Array:
    widths = [(int(before), int(after)) for before, after in e.value(1)]
    value = int(e.value(2).reshape(-1)[0]) if e.has(2) else e.zero_point(e.output)
    return np.pad(e.int8(0), widths, constant_values=value)


def _reshape(e: _Evaluation) -> Array:
    if e.tensor(0).dtype != e.output.dtype:
        raise e.refuse("dtype", f"it takes {e.tensor(0).dtype} to {e.output.dtype}")
    return e.value(0)


_EVALUATE: Mapping[str, Callable[[_Evaluation], Array]] = MappingProxyType(
    {
        "CONV_2D": _conv,
        "DEPTHWISE_CONV_2D": _depthwise,
        "TRANSPOSE_CONV": _transpose_conv,
        "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
        "FULLY_CONNECTED": _fully_connected,
        "ADD": _add_or_sub,
        "SUB": _add_or_sub,
        "MUL": _mul,
        "MINIMUM": _extreme,
        "MAXIMUM": _extreme,
        "SQUARED_DIFFERENCE": _squared_difference,
        "PRELU": _prelu,
        "RESIZE_BILINEAR": _resize_bilinear,
        "SPACE_TO_DEPTH": _blocks,
        "DEPTH_TO_SPACE": _blocks,
        "GATHER": _gather,
        "PACK": _pack,
        "SLICE": _slice,
        "STRIDED_SLICE": _slice,
        "SUM": _mean,
        "REDUCE_MAX": _mean,
        "ABS": _abs,
        "RSQRT": _rsqrt,
        "AVERAGE_POOL_2D": _pool,
        "MAX_POOL_2D": _pool,
        "MEAN": _mean,
        "RELU": _relu,
        "RELU6": _relu6,
        "LOGISTIC": _logistic,
        "TANH": _tanh,
        "HARD_SWISH": _hard_swish,
        "LEAKY_RELU": _leaky_relu,
        "SOFTMAX": _softmax,
        "QUANTIZE": _quantize,
        "DEQUANTIZE": _dequantize,
        "BATCH_MATMUL": _batch_matmul,
        "TRANSPOSE": _transpose,
        "BYTE_FUNCTION": _byte_function,
        "CONCATENATION": _concatenation,
        "PAD": _pad,
        "PADV2": _pad,
        "RESHAPE": _reshape,
        "SQUEEZE": _reshape,
        "EXPAND_DIMS": _reshape,
    }
)
KINDS = tuple(_EVALUATE)
"""The operators this oracle knows."""
