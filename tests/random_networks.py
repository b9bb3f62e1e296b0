"""Small random networks, drawn by hypothesis: any operator that can be split, on any earlier tensor, in any geometry.

`networks()` draws (model bytes, what it consists of). Shapes stay tiny; what varies is the geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st
from tiny_models import Builder, Op, T

Choice = TypeVar("Choice")

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
UNARY = ("RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE")


class Network(Builder):
    """A builder with more operators, and with a random choice among all of them."""

    def __init__(self, shape: tuple[int, ...], draw: st.DrawFn | None = None, seed: int = 0) -> None:
        super().__init__(shape, seed=seed)
        self._draw = draw
        self.growers = _GROWERS
        self.live = [self.input]
        """int8 activations an operator may read."""

    # Operators beyond the plain builder's.

    def float_input(self, shape: tuple[int, ...]) -> int:
        """Add a float model input and the QUANTIZE that reads it. Returns the quantised tensor."""
        index = self._append(T(shape, "FLOAT32"))
        self.inputs.append(index)
        self._values[index] = self.rng.normal(0, 2, (3, *shape))
        return self._op("QUANTIZE", [index], self._output(self._values[index]))

    def through_uint8(self, source: int) -> int:
        """int8 to uint8 and back, each time requantised."""
        scale = self.scale(source)
        other = self._append(T(self.shape(source), "UINT8", scale=scale * 1.25, zero_point=131))
        self._values[other] = self._values[source]
        self._op("QUANTIZE", [source], other)
        return self._op("QUANTIZE", [other], self._output(self._values[source]))

    def dequantized(self, source: int) -> int:
        """A float tensor for a model output: no operator reads it."""
        output = self._append(T(self.shape(source), "FLOAT32"))
        return self._op("DEQUANTIZE", [source], output)

    def padded_with(self, source: int, pads: list[tuple[int, int]], value: int) -> int:
        """PADV2 with the byte `value`."""
        quantization = {"scale": self.scale(source), "zero_point": self.tensors[source].zero_point}
        amounts = self.constant(np.asarray(pads, np.int32))
        filler = self.constant(np.array([value], np.int8), "INT8", **quantization)
        real = (value - self.tensors[source].zero_point) * self.scale(source)
        values = np.pad(self._values[source], [(0, 0), *pads], constant_values=real)
        return self._op("PADV2", [source, amounts, filler], self._output(values, like=source))

    def squeezed(self, source: int) -> int:
        """SQUEEZE of every axis of size 1 but the batch, then EXPAND_DIMS of one of them."""
        shape = self.shape(source)
        kept = (shape[0], *(d for d in shape[1:] if d > 1))
        dims = [axis for axis, d in enumerate(shape) if axis and d == 1]
        middle = self._output(self._values[source].reshape(3, *kept), like=source)
        self._op("SQUEEZE", [source], middle, squeeze_dims=dims)
        if len(kept) > 3:
            return middle
        axis = self.constant(np.array([1], np.int32))
        return self._op("EXPAND_DIMS", [middle, axis], self._output(self._values[middle][:, :, None], like=source))

    def joined(self, sources: list[int], axis: int) -> int:
        """CONCATENATION of tensors that are quantised alike, as TFLM needs. A tensor may come twice."""
        values = np.concatenate([self._values[s] for s in sources], axis + 1)
        return self._op("CONCATENATION", sources, self._output(values, like=sources[0]), axis=axis)

    def sliced(self, source: int, begin: tuple[int, ...], size: tuple[int, ...], strided: bool) -> int:
        """SLICE or STRIDED_SLICE with strides of 1."""
        window = (slice(None), *(slice(b, b + n) for b, n in zip(begin, size, strict=True)))
        output = self._output(self._values[source][window], like=source)
        end = tuple(b + n for b, n in zip(begin, size, strict=True))
        kinds = (begin, end, (1,) * len(begin)) if strided else (begin, size)
        operands = [source, *(self.constant(np.array(numbers, np.int32)) for numbers in kinds)]
        return self._op("STRIDED_SLICE" if strided else "SLICE", operands, output)

    def every_other_channel(self, source: int) -> int:
        """STRIDED_SLICE with a stride of 2 along the last axis."""
        shape = self.shape(source)
        output = self._output(self._values[source][..., ::2], like=source)
        bounds = ((0,) * len(shape), shape, (*(1,) * (len(shape) - 1), 2))
        return self._op("STRIDED_SLICE", [source, *(self.constant(np.array(b, np.int32)) for b in bounds)], output)

    def split(self, source: int, axis: int, parts: int) -> list[int]:
        """SPLIT into equal parts."""
        which = self.constant(np.array(axis, np.int32))
        outputs = [self._output(v, like=source) for v in np.split(self._values[source], parts, axis + 1)]
        self.operators.append(Op("SPLIT", [which, source], outputs, {"num_splits": parts}))
        return outputs

    # Stock operators, and shapes that operators compute.

    def shaped_by(self, source: int, shape: tuple[int, ...], operand: int) -> int:
        """RESHAPE to `shape`, which the tensor `operand` is said to hold."""
        output = self._output(self._values[source].reshape(3, *shape), like=source)
        return self._op("RESHAPE", [source, operand], output)

    def batch_shape(self, source: int, kept: tuple[int, ...]) -> int:
        """SHAPE, STRIDED_SLICE and PACK: the batch of `source`, then `kept`, as converters write an open batch."""
        shape = self._append(T([len(self.shape(source))], "INT32"))
        batch = self._append(T([], "INT32"))
        packed = self._append(T([1 + len(kept)], "INT32"))
        bounds = [self.constant(np.array([v], np.int32)) for v in (0, 1, 1)]
        sizes = [self.constant(np.array(d, np.int32)) for d in kept]
        self._op("SHAPE", [source], shape)
        self._op("STRIDED_SLICE", [shape, *bounds], batch, shrink_axis_mask=1)
        return self._op("PACK", [batch, *sizes], packed, values_count=1 + len(kept), axis=0)

    def numbers_of(self, source: int, count: int) -> int:
        """The first bytes of `source` as int32: RESHAPE, SLICE, CAST. Nobody knows them before run time."""
        flat = self.reshape(source, (prod(self.shape(source)),))
        first = self.sliced(flat, (0,), (count,), False)
        return self._op("CAST", [first], self._append(T([count], "INT32")))

    def through_float(self, kind: str, source: int) -> int:
        """DEQUANTIZE, an operator that calls the C library, QUANTIZE."""
        function = {"COS": np.cos, "EXP": np.exp, "SIN": np.sin}[kind]
        real, made = (self._append(T(self.shape(source), "FLOAT32")) for _ in range(2))
        self._op("DEQUANTIZE", [source], real)
        self._op(kind, [real], made)
        return self._op("QUANTIZE", [made], self._output(function(np.clip(self._values[source], -4, 4))))

    # The random choice.

    def choose(self, *choices: Choice) -> Choice:
        assert self._draw is not None
        return self._draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        assert self._draw is not None
        return self._draw(st.integers(low, high))

    def source(self, rank: int | None = None) -> int | None:
        """A random tensor of that rank to read, more likely a late one. None when there is none."""
        fit = [t for t in self.live if rank is None or len(self.shape(t)) == rank]
        return fit[max(len(fit) - 1 - self.number(0, 3), 0)] if fit else None

    def grow(self) -> str | None:
        """Add one random operator. Returns its name, or None when no tensor suits it."""
        kind = str(self.choose(*self.growers))
        made = self.growers[kind](self)
        if made is None:
            return None
        if made in self._values:
            self.live.append(made)
        return kind

    def window(self, source: int) -> tuple[int, int, tuple[int, int], str, tuple[int, int]] | None:
        """(kernel height and width, stride, padding, dilation) of a random window that fits, such as 10x4 or 1xK."""
        _, h, w, _ = self.shape(source)
        kh, kw = self.choose((1, 1), (3, 3), (2, 2), (5, 3), (10, 4), (1, 3), (3, 1), (1, 8), (h, w), (2, 3))
        stride = (self.number(1, 3), self.number(1, 3))
        dilation = (1, 1) if self.number(0, 2) else (self.number(1, 3), self.number(1, 2))
        padding = str(self.choose("SAME", "VALID"))
        fits = (kh - 1) * dilation[0] < h and (kw - 1) * dilation[1] < w
        return None if padding == "VALID" and not fits else (kh, kw, stride, padding, dilation)


def _conv(n: Network) -> int | None:
    source = n.source(4)
    found = n.window(source) if source is not None else None
    if source is None or found is None:
        return None
    kh, kw, stride, padding, dilation = found
    cin = n.shape(source)[3]
    groups = int(n.choose(*(g for g in (1, 2, 3, 4) if cin % g == 0)))
    return n.conv(
        source, groups * n.number(1, 3), kh, kw, stride, padding, dilation=dilation, groups=groups,
        activation=str(n.choose(*ACTIVATIONS)), per_channel=bool(n.number(0, 1)), bias=bool(n.number(0, 3)),
    )  # fmt: skip


def _depthwise(n: Network) -> int | None:
    source = n.source(4)
    found = n.window(source) if source is not None else None
    if source is None or found is None:
        return None
    kh, kw, stride, padding, dilation = found
    return n.depthwise(
        source, kh, kw, stride, padding, multiplier=n.number(1, 2), dilation=dilation,
        activation=str(n.choose(*ACTIVATIONS)), per_channel=bool(n.number(0, 1)),
    )  # fmt: skip


def _pool(n: Network) -> int | None:
    source = n.source(4)
    found = n.window(source) if source is not None else None
    if source is None or found is None:
        return None
    kh, kw, stride, padding, _ = found
    _, h, w, _ = n.shape(source)
    if padding == "VALID" and (kh > h or kw > w):
        return None
    if padding == "SAME" and n.number(0, 1):  # the whole map in one window
        kh, kw, stride, padding = h, w, (1, 1), "VALID"
    kind = n.choose("AVERAGE_POOL_2D", "MAX_POOL_2D")
    return n.pool(source, kh, kw, stride, padding, kind=kind, activation=str(n.choose(*ACTIVATIONS)))


def _binary(n: Network) -> int | None:
    first = n.source()
    if first is None:
        return None
    kind, activation = str(n.choose("ADD", "SUB", "MUL")), str(n.choose(*ACTIVATIONS))
    shape = n.shape(first)
    same = [t for t in n.live if t != first and n.shape(t) == shape]
    broadcast = [
        t for t in n.live
        if n.shape(t) != shape and len(n.shape(t)) == len(shape)
        and all(a in (1, b) for a, b in zip(n.shape(t), shape, strict=True))
    ]  # fmt: skip
    choices = ["constant", "itself"] + ["same"] * (3 * bool(same)) + ["broadcast"] * (3 * bool(broadcast))
    choice = n.choose(*choices)
    if choice == "same":
        second = int(n.choose(*same))
    elif choice == "broadcast":
        second = int(n.choose(*broadcast))
    elif choice == "itself":
        second = first
    else:
        kept = [bool(n.number(0, 1)) for _ in shape]
        second = n.quantized_constant(tuple(d if keep else 1 for d, keep in zip(shape, kept, strict=True)))
        if n.number(0, 1):
            return n.add(second, first, kind=kind, activation=activation)
    return n.add(first, second, kind=kind, activation=activation)


def _unary(n: Network) -> int | None:
    source = n.source()
    return None if source is None else n.unary(str(n.choose(*UNARY)), source)


def _uint8(n: Network) -> int | None:
    source = n.source()
    return None if source is None else n.through_uint8(source)


def _dequantize(n: Network) -> int | None:
    source = n.source()
    return None if source is None else n.dequantized(source)


def _softmax(n: Network) -> int | None:
    source = n.source()
    return None if source is None else n.softmax(source, beta=float(n.choose(1.0, 0.5)))


def _concat(n: Network) -> int | None:
    first = n.source()
    if first is None:
        return None
    shape = n.shape(first)
    axis = n.number(1, len(shape) - 1) if len(shape) > 1 else 0
    fit = [t for t in n.live if len(n.shape(t)) == len(shape) and _without(n.shape(t), axis) == _without(shape, axis)]
    others = [int(n.choose(*fit)) for _ in range(n.number(1, 2))]
    same = all((n.scale(t), n.tensors[t].zero_point) == (n.scale(first), n.tensors[first].zero_point) for t in others)
    return n.joined([first, *others], axis) if same else n.concat([first, *others], axis)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _pad(n: Network) -> int | None:
    source = n.source(4)
    if source is None:
        return None
    pads = [(0, 0), *((n.number(0, 2), n.number(0, 2)) for _ in range(2)), (0, 0)]
    if not n.number(0, 2):
        pads[3] = (n.number(0, 2), n.number(0, 1))
    if n.number(0, 1):
        return n.padded_with(source, pads, n.number(-128, 127))
    return n.pad(source, pads)


def _padded_conv(n: Network) -> int | None:
    """PAD and a convolution that may be folded into one."""
    source = n.source(4)
    if source is None:
        return None
    padded = n.pad(source, [(0, 0), (n.number(0, 2), n.number(0, 2)), (n.number(0, 2), n.number(0, 2)), (0, 0)])
    _, h, w, _ = n.shape(padded)
    kh, kw = min(3, h), min(n.number(1, 3), w)
    stride, padding = (n.number(1, 2), n.number(1, 2)), str(n.choose("SAME", "VALID"))
    return n.conv(padded, 3, kh, kw, stride, padding)


def _mean(n: Network) -> int | None:
    source = n.source()
    if source is None or len(n.shape(source)) not in (3, 4):
        return None
    axes = (1, 2) if len(n.shape(source)) == 4 else (1,)
    return n.mean(source, axes, keep_dims=bool(n.number(0, 1)))


def _reshape(n: Network) -> int | None:
    source = n.source()
    if source is None:
        return None
    shape = n.shape(source)
    rows = prod(shape[1:-1])
    choices: list[tuple[int, ...]] = [(1, prod(shape)), (1, rows, shape[-1]), (1, 1, rows, shape[-1])]
    if len(shape) == 4:
        choices += [(1, shape[1], shape[2] * shape[3]), (1, shape[2], shape[1], shape[3])]
    return n.reshape(source, n.choose(*choices))


def _squeeze(n: Network) -> int | None:
    source = n.source()
    return None if source is None or 1 not in n.shape(source)[1:] else n.squeezed(source)


def _dense(n: Network) -> int | None:
    source = n.source()
    if source is None:
        return None
    return n.dense(source, n.number(1, 5), activation=str(n.choose(*ACTIVATIONS)), per_channel=bool(n.number(0, 1)))


def _input(n: Network) -> int | None:
    if len(n.inputs) > 2:
        return None
    shape = n.shape(n.live[-1])
    return n.add_input(shape) if n.number(0, 1) else n.float_input(shape)


def _slice(n: Network) -> int | None:
    source = n.source()
    if source is None:
        return None
    shape = n.shape(source)
    begin, size = [0] * len(shape), list(shape)
    for axis in {n.number(0, len(shape) - 1) for _ in range(n.number(1, 2))}:
        begin[axis] = n.number(0, shape[axis] - 1)
        size[axis] = n.number(1, shape[axis] - begin[axis])
    return n.sliced(source, tuple(begin), tuple(size), bool(n.number(0, 1)))


def _split(n: Network) -> int | None:
    source = n.source()
    if source is None:
        return None
    axes = [(a, p) for a, d in enumerate(n.shape(source)) for p in (2, 3) if d % p == 0]
    if not axes:
        return None
    axis, parts = n.choose(*axes)
    *first, last = n.split(source, axis, parts)
    n.live.extend(first)
    return last


def _transpose(n: Network) -> int | None:
    source = n.source(4)
    return None if source is None else n.reversed(source)


def _open_batch(n: Network) -> int | None:
    source, other = n.source(), n.source()
    if source is None or other is None:
        return None
    shape = (1, prod(n.shape(source)))
    return n.shaped_by(source, shape, n.batch_shape(int(n.choose(source, other)), shape[1:]))


def _unknown_shape(n: Network) -> int | None:
    source, other = n.source(), n.source()
    if source is None or other is None or prod(n.shape(other)) < 2:
        return None
    return n.shaped_by(source, (1, prod(n.shape(source))), n.numbers_of(other, 2))


def _float(n: Network) -> int | None:
    source = n.source()
    return None if source is None else n.through_float(str(n.choose("COS", "EXP", "SIN")), source)


def _reversed(n: Network) -> int | None:
    source = n.source()
    return None if source is None else n.reversed(source)


_GROWERS: dict[str, Callable[[Network], int | None]] = {
    "convolution": _conv, "depthwise": _depthwise, "pool": _pool, "binary": _binary, "unary": _unary, "uint8": _uint8,
    "dequantize": _dequantize, "softmax": _softmax, "concatenation": _concat, "pad": _pad, "padded": _padded_conv,
    "mean": _mean, "reshape": _reshape, "squeeze": _squeeze, "dense": _dense, "input": _input, "stock": _transpose,
    "slice": _slice, "split": _split,
}  # fmt: skip

STOCK_GROWERS: dict[str, Callable[[Network], int | None]] = {
    "open batch": _open_batch, "unknown shape": _unknown_shape, "float": _float, "reversed": _reversed,
}  # fmt: skip
"""Operators that stay stock, and what hangs on them."""


@st.composite
def networks(draw: st.DrawFn, max_operators: int = 9, *, stock: bool = False) -> bytes:
    """A network of 1 to `max_operators` draws. Its outputs are the tensors that nobody reads, and perhaps one more.

    With `stock`, every third operator or so stays stock, anywhere.
    """
    height = draw(st.sampled_from((1, 5, 8, 11, 12)))
    shape = (1, height, draw(st.integers(1, 9)), draw(st.sampled_from((1, 2, 3, 4, 6))))
    network = Network(shape, draw, seed=draw(st.integers(0, 2**16)))
    if stock:
        usual = ("convolution", "depthwise", "binary", "unary", "reshape", "slice", "concatenation", "dense")
        network.growers = {kind: _GROWERS[kind] for kind in usual} | STOCK_GROWERS
    for _ in range(draw(st.integers(1, max_operators))):
        network.grow()
    if not network.operators:
        network.unary("RELU", network.input)
    read = {t for op in network.operators for t in op.inputs}
    made = [t for op in network.operators for t in op.outputs]
    outputs = [t for t in made if t not in read]
    if draw(st.booleans()):
        outputs.append(draw(st.sampled_from(made)))
    return network.finish(*dict.fromkeys(outputs))
