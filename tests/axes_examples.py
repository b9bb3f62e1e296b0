"""One random operator of each kind. It is so small that a test can try which outputs each operand element reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from tiny_models import T, single_op, window_output

Draw = Callable[[st.SearchStrategy[Any]], Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Example:
    """An operator: operands without data are inputs of the model. `positive`: its inputs must be above zero."""

    kind: str
    operands: Sequence[T]
    outputs: Sequence[T]
    options: Mapping[str, Any] = field(default_factory=dict)
    positive: bool = False

    @property
    def model(self) -> bytes:
        return single_op(self.kind, self.operands, self.outputs, **self.options)


def numbers(*values: int) -> T:
    return T((len(values),), "INT32", data=np.array(values, np.int32))


def floats(*shape: int) -> T:
    return T(shape, "FLOAT32")


def bytes_of(shape: Shape, zero_point: int = 0) -> T:
    return T(shape, "INT8", 0.0625, zero_point)


def size(draw: Draw, low: int = 1, high: int = 4) -> int:
    return int(draw(st.integers(low, high)))


def shape(draw: Draw, least: int = 1, most: int = 4) -> Shape:
    return tuple(draw(st.lists(st.integers(1, 4), min_size=least, max_size=most)))


def activation(draw: Draw) -> str:
    return str(draw(st.sampled_from(["NONE", "RELU"])))


def window(draw: Draw, dilated: bool = True) -> tuple[Shape, Shape, Shape, dict[str, Any]]:
    """(sizes of a map, of its kernel and of the output, options) of a random window."""
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    strides = size(draw, 1, 3), size(draw, 1, 3)
    dilations = (size(draw, 1, 2), size(draw, 1, 2)) if dilated else (1, 1)
    kernel = size(draw, 1, 3), size(draw, 1, 3)
    map_size = tuple((k - 1) * d + 1 + size(draw, 0, 3) for k, d in zip(kernel, dilations, strict=True))
    made = tuple(
        window_output(n, k, s, d, padding) for n, k, s, d in zip(map_size, kernel, strides, dilations, strict=True)
    )
    options: dict[str, Any] = {"padding": padding, "stride_h": strides[0], "stride_w": strides[1]}
    if dilated:
        options |= {"dilation_h_factor": dilations[0], "dilation_w_factor": dilations[1]}
    return map_size, kernel, made, {**options, "fused_activation_function": activation(draw)}


def convolution(draw: Draw, kind: str) -> Example:
    (h, w), kernel, made, options = window(draw)
    groups, depth, per_group = (size(draw, 1, 3) for _ in range(3))
    channels, batch = groups * per_group, size(draw, 1, 2)
    operands = [floats(batch, h, w, groups * depth), floats(channels, *kernel, depth), floats(channels)]
    return Example(kind, operands[: size(draw, 2, 3)], [floats(batch, *made, channels)], options)


def depthwise(draw: Draw, kind: str) -> Example:
    (h, w), kernel, made, options = window(draw)
    channels, multiplier, batch = size(draw, 1, 3), size(draw, 1, 3), size(draw, 1, 2)
    operands = [floats(batch, h, w, channels), floats(1, *kernel, channels * multiplier), floats(channels * multiplier)]
    outputs = [floats(batch, *made, channels * multiplier)]
    return Example(kind, operands[: size(draw, 2, 3)], outputs, {**options, "depth_multiplier": multiplier})


def transposed_convolution(draw: Draw, kind: str) -> Example:
    padding, strides = draw(st.sampled_from(["SAME", "VALID"])), (size(draw, 1, 3), size(draw, 1, 3))
    kernel, channels, depth = (size(draw, 1, 3), size(draw, 1, 3)), size(draw, 1, 3), size(draw, 1, 3)
    source = size(draw), size(draw)
    made = [n * s if padding == "SAME" else (n - 1) * s + k for n, s, k in zip(source, strides, kernel, strict=True)]
    options = {"padding": padding, "stride_h": strides[0], "stride_w": strides[1]}
    operands = [numbers(1, *made, channels), floats(channels, *kernel, depth), floats(1, *source, depth)]
    if draw(st.booleans()):
        operands.append(floats(channels))
    return Example(kind, operands, [floats(1, *made, channels)], options)


def pool(draw: Draw, kind: str) -> Example:
    (h, w), kernel, made, options = window(draw, dilated=False)
    channels, batch = size(draw, 1, 3), size(draw, 1, 2)
    options |= {"filter_height": kernel[0], "filter_width": kernel[1]}
    return Example(kind, [floats(batch, h, w, channels)], [floats(batch, *made, channels)], options)


def resize(draw: Draw, kind: str) -> Example:
    source, made, channels = (
        (size(draw, 1, 6), size(draw, 1, 6)),
        (size(draw, 1, 9), size(draw, 1, 9)),
        size(draw, 1, 3),
    )
    align = draw(st.booleans())
    centers = not align and draw(st.booleans())
    ends = [bytes_of((1, *sizes, channels)) for sizes in (source, made)]
    return Example(kind, [ends[0], numbers(*made)], ends[1:], {"align_corners": align, "half_pixel_centers": centers})


def fully_connected(draw: Draw, kind: str) -> Example:
    """Over tokens, over batches, over flattened maps."""
    outer, inner, units = shape(draw, 1, 2), shape(draw, 1, 3), size(draw)
    kept = draw(st.booleans()) and len(inner) == 1
    made = (*outer, units) if kept else (prod(outer), units)
    depth = prod(inner)
    operands = [floats(*outer, *inner), floats(units, depth), floats(units)][: size(draw, 2, 3)]
    options = {"fused_activation_function": activation(draw), "keep_num_dims": kept}
    return Example(kind, operands, [floats(*made)], options)


def matrix_product(draw: Draw, kind: str) -> Example:
    rows, depth, columns, batches = size(draw), size(draw), size(draw), shape(draw, 0, 2)
    turned = draw(st.booleans()), draw(st.booleans())
    left = (depth, rows) if turned[0] else (rows, depth)
    right = (columns, depth) if turned[1] else (depth, columns)
    operands = [floats(*batches, *left), floats(*batches, *right)]
    options = {"adj_x": turned[0], "adj_y": turned[1]}
    return Example(kind, operands, [floats(*batches, rows, columns)], options)


def reduction(draw: Draw, kind: str) -> Example:
    source = shape(draw, 1, 4)
    axes = sorted(draw(st.sets(st.integers(0, len(source) - 1), min_size=1)))
    keep = draw(st.booleans())
    kept = tuple(1 if a in axes else n for a, n in enumerate(source) if keep or a not in axes)
    given = [a - len(source) * int(draw(st.booleans())) for a in axes]
    return Example(kind, [floats(*source), numbers(*given)], [floats(*kept)], {"keep_dims": keep})


def unary(draw: Draw, kind: str) -> Example:
    made = shape(draw)
    return Example(kind, [floats(*made)], [floats(*made)], {}, positive=kind == "RSQRT")


def leaky(draw: Draw, kind: str) -> Example:
    made = shape(draw)
    return Example(kind, [floats(*made)], [floats(*made)], {"alpha": 0.1})


def quantize(draw: Draw, kind: str) -> Example:
    made = shape(draw)
    ends = [floats(*made), bytes_of(made)]
    return Example(kind, [ends[kind == "DEQUANTIZE"]], [ends[kind == "QUANTIZE"]])


def softmax(draw: Draw, kind: str) -> Example:
    """A SOFTMAX. Of one channel it would always be 1, so there are at least two."""
    made = (*shape(draw, 0, 3), size(draw, 2, 4))
    return Example(kind, [floats(*made)], [floats(*made)], {"beta": 1.0})


def binary(draw: Draw, kind: str) -> Example:
    made = shape(draw)
    ones = [[1 if draw(st.booleans()) else n for n in made] for _ in range(2)]
    first, second = map(tuple, ones)
    if draw(st.booleans()):  # fewer axes stand for leading ones
        second = made[draw(st.integers(0, len(made) - 1)) :]
    options = {"fused_activation_function": "NONE"} if kind in ("ADD", "SUB", "MUL") else {}
    return Example(kind, [floats(*first), floats(*second)], [floats(*np.broadcast_shapes(first, second))], options)


def slope(draw: Draw, kind: str) -> Example:
    made = shape(draw, 1, 4)
    own = tuple(1 if draw(st.booleans()) else n for n in made)
    return Example(kind, [floats(*made), floats(*own)], [floats(*made)])


def reshape(draw: Draw, kind: str) -> Example:
    """Axes joined and split at random places of the same elements."""
    factors = draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))

    def joined() -> Shape:
        ends = sorted(draw(st.sets(st.integers(1, len(factors)), max_size=4)) | {len(factors)})
        return tuple(prod(factors[a:b]) for a, b in zip([0, *ends], ends, strict=False))

    source, made = joined(), joined()
    return Example(kind, [floats(*source), numbers(*made)], [floats(*made)], {"new_shape": list(made)})


def squeeze(draw: Draw, kind: str) -> Example:
    source = shape(draw)
    made = tuple(n for n in source if n > 1) or (1,)
    if kind == "EXPAND_DIMS":
        return Example(kind, [floats(*source[:3]), numbers(1)], [floats(source[0], 1, *source[1:3])])
    return Example(kind, [floats(*source)], [floats(*made)], {"squeeze_dims": []})


def transpose(draw: Draw, kind: str) -> Example:
    source = shape(draw)
    order = draw(st.permutations(range(len(source))))
    made = floats(*(source[a] for a in order))
    return Example(kind, [floats(*source), numbers(*order)], [made])


def concatenation(draw: Draw, kind: str) -> Example:
    made = shape(draw)
    axis = draw(st.integers(0, len(made) - 1))
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    parts = [floats(*made[:axis], n, *made[axis + 1 :]) for n in sizes]
    whole = floats(*made[:axis], sum(sizes), *made[axis + 1 :])
    given = axis - len(made) * int(draw(st.booleans()))
    return Example(kind, parts, [whole], {"axis": given, "fused_activation_function": "NONE"})


def pack(draw: Draw, kind: str) -> Example:
    part, count = shape(draw, 1, 3), size(draw, 1, 3)
    axis = draw(st.integers(0, len(part)))
    whole = floats(*part[:axis], count, *part[axis:])
    if kind == "UNPACK":
        return Example(kind, [whole], [floats(*part)] * count, {"axis": axis, "num": count})
    return Example(kind, [floats(*part)] * count, [whole], {"axis": axis, "values_count": count})


def split(draw: Draw, kind: str) -> Example:
    part, count = shape(draw), size(draw, 1, 3)
    axis = draw(st.integers(0, len(part) - 1))
    sizes = [size(draw, 1, 3) for _ in range(count)] if kind == "SPLIT_V" else [part[axis]] * count
    whole = floats(*part[:axis], sum(sizes), *part[axis + 1 :])
    parts = [floats(*part[:axis], n, *part[axis + 1 :]) for n in sizes]
    which = T((), "INT32", data=np.array(axis, np.int32))
    operands = [whole, numbers(*sizes), which] if kind == "SPLIT_V" else [which, whole]
    return Example(kind, operands, parts, {"num_splits": count})


def part(draw: Draw, kind: str) -> Example:
    source = shape(draw)
    begin = [draw(st.integers(0, n - 1)) for n in source]
    sizes = [draw(st.integers(1, n - b)) for n, b in zip(source, begin, strict=True)]
    return Example(kind, [floats(*source), numbers(*begin), numbers(*sizes)], [floats(*sizes)])


def strided(draw: Draw, kind: str) -> Example:
    source = shape(draw)
    begin, end, strides, made, shrunk = [], [], [], [], 0
    for axis, n in enumerate(source):
        stride = draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        first = draw(st.integers(0, n - 1))
        last = draw(st.integers(first + 1, n)) if stride > 0 else draw(st.integers(-1, first - 1))
        one = stride > 0 and len(source) > 1 and draw(st.integers(0, 3)) == 0
        shrunk |= one << axis
        begin.append(first)
        end.append(last if last >= 0 else -n - 1)
        strides.append(1 if one else stride)
        made += [] if one else [len(range(first, last, stride))]
    masks = {f"{name}_mask": 0 for name in ("begin", "end", "ellipsis", "new_axis")} | {"shrink_axis_mask": shrunk}
    operands = [floats(*source), *(numbers(*values) for values in (begin, end, strides))]
    return Example(kind, operands, [floats(*made)], masks)


def padding(draw: Draw, kind: str) -> Example:
    source = tuple(size(draw, 1, 3) for _ in range(4))
    pads = np.array([[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in source], np.int32)
    filler = [T((1,), "FLOAT32", data=np.array([7], np.float32))] if kind == "PADV2" else []
    operands = [floats(*source), T((4, 2), "INT32", data=pads), *filler]
    return Example(kind, operands, [floats(*(n + int(p.sum()) for n, p in zip(source, pads, strict=True)))])


def blocks(draw: Draw, kind: str) -> Example:
    block, h, w, c = size(draw, 1, 3), size(draw, 1, 3), size(draw, 1, 3), size(draw, 1, 2)
    ends = [floats(1, h * block, w * block, c), floats(1, h, w, c * block**2)]
    ends = ends if kind == "SPACE_TO_DEPTH" else ends[::-1]
    return Example(kind, ends[:1], ends[1:], {"block_size": block})


def gather(draw: Draw, kind: str) -> Example:
    table, rank = shape(draw, 1, 3), size(draw, 1, 2)
    axis = draw(st.integers(0, len(table) - 1))
    indices = np.array(draw(st.lists(st.integers(0, table[axis] - 1), min_size=2, max_size=4)), np.int32)
    indices = indices.reshape((1,) * (rank - 1) + (-1,))
    made = (*table[:axis], *indices.shape, *table[axis + 1 :])
    given = T(indices.shape, "INT32", data=indices if draw(st.booleans()) else None)
    return Example(kind, [floats(*table), given], [floats(*made)], {"axis": axis, "batch_dims": 0})


EXAMPLES: Mapping[str, Callable[[Draw, str], Example]] = {
    **dict.fromkeys(("RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "ELU", "ABS", "RSQRT"), unary),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE"), quantize),
    **dict.fromkeys(("ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE"), binary),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX"), reduction),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), pool),
    **dict.fromkeys(("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"), resize),
    **dict.fromkeys(("PAD", "PADV2"), padding),
    **dict.fromkeys(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), blocks),
    **dict.fromkeys(("SPLIT", "SPLIT_V"), split),
    **dict.fromkeys(("PACK", "UNPACK"), pack),
    **dict.fromkeys(("SQUEEZE", "EXPAND_DIMS"), squeeze),
    "LEAKY_RELU": leaky,
    "SOFTMAX": softmax,
    "PRELU": slope,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "TRANSPOSE_CONV": transposed_convolution,
    "FULLY_CONNECTED": fully_connected,
    "BATCH_MATMUL": matrix_product,
    "RESHAPE": reshape,
    "TRANSPOSE": transpose,
    "CONCATENATION": concatenation,
    "SLICE": part,
    "STRIDED_SLICE": strided,
    "GATHER": gather,
}
