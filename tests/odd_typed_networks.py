"""Random chains of int16 or float32 operators for `odd_networks.py`, with one that stays stock somewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from random import Random

import numpy as np
from streaming_networks import Streaming
from tiny_models import T, build_model
from typed_models import TypedBuilder


class TypedNetwork(TypedBuilder):
    """A chain: each method adds an operator behind `last`. One that does not fit there adds none."""

    def __init__(self, dtype: str, random: Random) -> None:
        shape = (1, random.randint(4, 12), random.randint(3, 8), random.choice((1, 2, 4)))
        super().__init__(dtype, shape, random.randrange(999))
        self.random, self.last = random, self.input

    def moved(self, kind: str, shape: tuple[int, ...], *operands: int, **options: object) -> int:
        """An operator that moves elements of `last`."""
        made = self.activation(shape, self.spread[self.last])
        self.tensors[made] = replace(self.tensors[made], scale=self.tensors[self.last].scale)
        return self.op(kind, [self.last, *operands], [made], **options)

    def numbers(self, *values: int) -> int:
        return self.constant(np.array(values, np.int32), "INT32")


def _conv(n: TypedNetwork) -> int:
    kernel = n.random.choice(((1, 1), (3, 3), (1, 3), (2, 1)))
    options = {"stride": (n.random.randint(1, 2), n.random.randint(1, 2)), "bias": n.random.choice(("wide", None))}
    return n.conv(n.last, n.random.randint(1, 4), kernel, activation=n.random.choice(("NONE", "RELU")), **options)


def _depthwise(n: TypedNetwork) -> int:
    return n.conv(n.last, n.shape(n.last)[3], (3, 3), depthwise=True)


def _upsampled(n: TypedNetwork) -> int:
    if prod(n.shape(n.last)) > 400:
        return n.last
    stride = (n.random.randint(1, 2), n.random.randint(1, 2))
    return n.transposed(n.last, n.random.randint(1, 3), (n.random.randint(1, 3), n.random.randint(2, 3)), stride)


def _pool(n: TypedNetwork) -> int:
    window = (min(2, n.shape(n.last)[1]), min(2, n.shape(n.last)[2]))
    return n.pool(n.last, window, kind=n.random.choice(("MAX_POOL_2D", "AVERAGE_POOL_2D")))


def _unary(n: TypedNetwork) -> int:
    kinds = ("RELU", "LOGISTIC", "TANH") if n.dtype == "INT16" else ("RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH")
    return n.unary(n.random.choice(kinds), n.last)


def _prelu(n: TypedNetwork) -> int:
    if n.dtype == "INT16":
        return n.last
    alpha = n.constant_operand((1, 1, n.shape(n.last)[3]))
    return n.op("PRELU", [n.last, alpha], [n.activation(n.shape(n.last), n.spread[n.last])])


def _binary(n: TypedNetwork) -> int:
    other = n.last if n.random.random() < 0.5 else n.constant_operand((1, 1, 1, n.shape(n.last)[3]))
    return n.binary(n.random.choice(("ADD", "MUL", "SUB")), n.last, other)


def _extreme(n: TypedNetwork) -> int:
    if n.dtype == "INT16":
        return n.last
    return n.op(n.random.choice(("MAXIMUM", "MINIMUM")), [n.last, n.constant_operand((1,))], [
        n.activation(n.shape(n.last), n.spread[n.last])
    ])  # fmt: skip


def _pad(n: TypedNetwork) -> int:
    return n.pad(n.last, [(0, 0), (n.random.randint(0, 2), 0), (0, 1), (0, 0)])


def _softmax(n: TypedNetwork) -> int:
    return n.softmax(n.last)


def _mean(n: TypedNetwork) -> int:
    return n.mean(n.last, keep_dims=True)


def _joined(n: TypedNetwork) -> int:
    shape = n.shape(n.last)
    axis = n.random.randint(1, 3)
    return n.moved("CONCATENATION", tuple(2 * d if a == axis else d for a, d in enumerate(shape)), n.last, axis=axis)


def _sliced(n: TypedNetwork) -> int:
    """GATHER of neighbours or others for float32, and SLICE."""
    shape, axis = n.shape(n.last), n.random.randint(1, 3)
    first = n.random.randrange(shape[axis])
    count = n.random.randint(1, shape[axis] - first)
    made = tuple(count if a == axis else d for a, d in enumerate(shape))
    if n.dtype == "FLOAT32" and n.random.random() < 0.6:
        taken = [n.random.randrange(shape[axis]) for _ in range(count)]
        taken = list(range(first, first + count)) if n.random.random() < 0.5 else taken
        return n.moved("GATHER", made, n.numbers(*taken), axis=axis)
    begin = n.numbers(*(first if a == axis else 0 for a in range(4)))
    return n.moved("SLICE", made, begin, n.numbers(*made))


def _long_window(n: TypedNetwork) -> int:
    """A window of many samples over a signal."""
    _, h, w, c = n.shape(n.last)
    flat = n.reshape(n.last, (1, h * w, 1, c))
    kernel = n.random.randint(min(h * w, 12), min(h * w, 40))
    return n.conv(
        flat, n.random.randint(1, 3), (kernel, 1), (n.random.randint(1, 4), 1), n.random.choice(("SAME", "VALID"))
    )


def _transposed(n: TypedNetwork) -> int:
    order = [1, 2, 3]
    n.random.shuffle(order)
    shape = n.shape(n.last)
    return n.moved("TRANSPOSE", (shape[0], *(shape[a] for a in order)), n.numbers(0, *order))


def _stock(n: TypedNetwork) -> int:
    return n.moved("REVERSE_V2", n.shape(n.last), n.numbers(1))


TYPED_GROWERS: tuple[Callable[[TypedNetwork], int], ...] = (
    _conv, _depthwise, _upsampled, _pool, _unary, _prelu, _binary, _extreme, _pad, _softmax, _mean, _joined, _sliced,
    _long_window, _transposed, _stock,
)  # fmt: skip


def typed_network(random: Random, dtype: str) -> bytes:
    """A chain of `dtype`; a few of int16 are an LSTM over a sequence."""
    if dtype == "INT16" and random.random() < 0.15:
        return _lstm(random)
    n = TypedNetwork(dtype, random)
    for _ in range(random.randint(1, 6)):
        n.last = random.choice(TYPED_GROWERS)(n)
    if not n.operators:
        n.last = n.unary("RELU", n.last)
    return build_model(n.tensors, n.operators, n.inputs, [n.last])


def _lstm(random: Random) -> bytes:
    net = Streaming(1, 1, seed=random.randrange(999))
    net.tensors[net.first] = T((1, random.randint(1, 9), random.randint(1, 6)), "INT16", 1e-4)
    net.lstm(random.randint(1, 6), (1 / 32768, 0), random.choice((-15, -12, -11)), random.choice((0.0, 1.0)))
    return net.model()
