"""More operators for random networks: those of temporal networks, detection heads, channel shuffles, ... wherever they fit.

Like `random_networks.py`, but with a seeded generator instead of hypothesis, for `scripts/fuzz_networks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from random import Random

import numpy as np
from random_networks import _GROWERS, STOCK_GROWERS, Choice, Network
from tiny_models import T, build_model
from typed_models import TypedBuilder

Grower = Callable[[Network], "int | None"]


class OddNetwork(Network):
    """A `Network` that draws from `random`."""

    def __init__(self, shape: tuple[int, ...], random: Random) -> None:
        super().__init__(shape, None, random.randrange(2**16))
        self._random = random
        self.growers = _GROWERS | STOCK_GROWERS | ODD_GROWERS

    def choose(self, *choices: Choice) -> Choice:
        return self._random.choice(choices)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def indices(self, *numbers: int) -> int:
        """A constant of int32."""
        return self.constant(np.array(numbers, np.int32))

    def move(self, kind: str, source: int, operands: list[int], values: np.ndarray, **options: object) -> int:
        """An operator that moves elements: its output is quantised as its input."""
        return self._op(kind, [source, *operands], self._output(values, like=source), **options)

    def transposed(self, source: int, order: tuple[int, ...]) -> int:
        values = np.transpose(self._values[source], (0, *(a + 1 for a in order)))
        return self.move("TRANSPOSE", source, [self.indices(*order)], values)


def _transpose(n: Network) -> int | None:
    assert isinstance(n, OddNetwork)
    source = n.source()
    if source is None or len(n.shape(source)) < 2:
        return None
    order = list(range(1, len(n.shape(source))))
    n._random.shuffle(order)
    return n.transposed(source, (0, *order))


def _transposed_pair(n: Network) -> int | None:
    """TRANSPOSE to channels first, an element-wise operator, TRANSPOSE back."""
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None:
        return None
    inner = n.unary(str(n.choose("RELU", "HARD_SWISH", "LEAKY_RELU")), n.transposed(source, (0, 3, 1, 2)))
    return n.transposed(inner, (0, 2, 3, 1))


def _shuffle(n: Network) -> int | None:
    """A channel shuffle through five dimensions."""
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None or n.shape(source)[3] % 2 or n.shape(source)[3] < 4:
        return None
    _, h, w, c = n.shape(source)
    apart = n.reshape(source, (1, h, w, 2, c // 2))
    return n.reshape(n.transposed(apart, (0, 1, 2, 4, 3)), (1, h, w, c))


def _gather(n: Network) -> int | None:
    """GATHER of constant indices along an axis."""
    assert isinstance(n, OddNetwork)
    source = n.source()
    if source is None or len(n.shape(source)) < 2:
        return None
    axis = n.number(1, len(n.shape(source)) - 1)
    size = n.shape(source)[axis]
    first = n.number(0, size - 1)
    count = n.number(1, size - first)
    taken = list(range(first, first + count)) if n.number(0, 1) else [n.number(0, size - 1) for _ in range(count)]
    return n.move("GATHER", source, [n.indices(*taken)], np.take(n._values[source], taken, axis + 1), axis=axis)


def _mirror(n: Network) -> int | None:
    """MIRROR_PAD of rows and columns."""
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None or min(n.shape(source)[1:3]) < 3:
        return None
    reflect = bool(n.number(0, 1))
    pads = [(0, 0), (n.number(0, 2), n.number(0, 2)), (n.number(0, 2), n.number(0, 2)), (0, 0)]
    values = np.pad(n._values[source], [(0, 0), *pads], "reflect" if reflect else "symmetric")
    return n.move("MIRROR_PAD", source, [n.constant(np.array(pads, np.int32))], values, mode=0 if reflect else 1)


def _reduced(n: Network) -> int | None:
    """MEAN, SUM or REDUCE_MAX over any axes."""
    assert isinstance(n, OddNetwork)
    source = n.source()
    if source is None or len(n.shape(source)) < 3:
        return None
    rank = len(n.shape(source))
    axes = sorted({n.number(1, rank - 1) for _ in range(n.number(1, 2))})
    if n.number(0, 2):
        return n.mean(source, axes, keep_dims=bool(n.number(0, 1)), kind=str(n.choose("MEAN", "SUM")))
    keep = bool(n.number(0, 1))
    values = n._values[source].max(axis=tuple(a + 1 for a in axes), keepdims=keep)
    return n.move("REDUCE_MAX", source, [n.indices(*axes)], values, keep_dims=keep)


def _causal(n: Network) -> int | None:
    """PAD of rank 3, and a convolution over time."""
    assert isinstance(n, OddNetwork)
    source = n.source()
    if source is None or len(n.shape(source)) < 3:
        return None
    steps, channels = prod(n.shape(source)[1:-1]), n.shape(source)[-1]
    kernel, dilation = n.number(1, 4), n.number(1, 3)
    before = (kernel - 1) * dilation
    flat = n.reshape(source, (1, steps, channels))
    padded = n.pad(flat, [(0, 0), (before, 0), (0, 0)])
    as_map = n.reshape(padded, (1, 1, steps + before, channels))
    made = n.conv(as_map, n.number(1, 4), 1, kernel, padding="VALID", dilation=(1, dilation))
    return n.reshape(made, (1, steps, n.shape(made)[3]))


def _spaced(n: Network) -> int | None:
    """SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND around an element-wise operator or nothing.

    Without padding: what TFLM fills it with depends on what lay in its memory.
    """
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None or n.shape(source)[1] < 4 or n.shape(source)[1] % 2:
        return None
    _, h, w, c = n.shape(source)
    block, pads = n.indices(2, 1), n.constant(np.zeros((2, 2), np.int32))
    apart = np.concatenate([n._values[source][:, :, r::2] for r in range(2)], axis=1)
    spaced = n.move("SPACE_TO_BATCH_ND", source, [block, pads], apart)
    made = n.unary("RELU", spaced) if n.number(0, 1) else spaced
    values = np.zeros((3, 1, h, w, c))
    for r in range(2):
        values[:, 0, r::2] = n._values[made][:, r]
    return n.move("BATCH_TO_SPACE_ND", made, [block, pads], values)


def _two_heads(n: Network) -> int | None:
    """Heads of two scales, reshaped to boxes and joined, as detectors do."""
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None or min(n.shape(source)[1:3]) < 4:
        return None
    coarse = n.pool(source, 2, 2, 2, "VALID", kind="MAX_POOL_2D")
    heads = [n.conv(t, 4, 1, 1) for t in (source, coarse)]
    boxes = [n.reshape(t, (1, prod(n.shape(t)) // 2, 2)) for t in heads]
    return n.concat(boxes, 1)


def _tall_window(n: Network) -> int | None:
    """A window as high as the map, and one row of output."""
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None or n.shape(source)[1] < 2:
        return None
    h, w = n.shape(source)[1:3]
    made = n.conv(source, n.number(1, 4), h, min(w, n.number(1, 3)), padding="VALID")
    return n.pool(made, 1, min(2, n.shape(made)[2]), 1, "VALID", kind=str(n.choose("AVERAGE_POOL_2D", "MAX_POOL_2D")))


ODD_GROWERS: dict[str, Grower] = {
    "transpose": _transpose, "transposed pair": _transposed_pair, "shuffle": _shuffle, "gather": _gather, "mirror": _mirror,
    "reduced": _reduced, "causal": _causal, "spaced": _spaced, "two heads": _two_heads, "tall window": _tall_window,
}  # fmt: skip
SHAPES = ((1, 12, 8, 4), (1, 1, 40, 2), (1, 9, 7, 3), (1, 5, 5, 8), (1, 60, 1, 1), (1, 8, 12, 6), (1, 16, 3, 2))


def odd_network(seed: int, operators: int = 8) -> bytes:
    """The model that belongs to `seed`: int8 mostly, int16 or float32, of batch 1 mostly, with up to `operators` draws."""
    random = Random(seed)
    form = random.random()
    if form < 0.2:
        return _typed(random, "INT16" if form < 0.1 else "FLOAT32")
    shape = (1, random.randint(70, 120), 1, random.randint(1, 2)) if form < 0.27 else random.choice(SHAPES)
    network = OddNetwork(shape, random)
    if form < 0.27:  # a window over many rows
        network.live.append(network.conv(network.input, 3, random.randint(33, 60), 1, random.randint(1, 4)))
    batch = random.randint(2, 4) if form > 0.93 else 1
    if batch > 1:
        kept = ("convolution", "depthwise", "unary", "pool", "binary")
        network.growers = {kind: _GROWERS[kind] for kind in kept}
    for _ in range(random.randint(1, operators)):
        network.grow()
    if not network.operators:
        network.unary("RELU", network.input)
    read = {t for op in network.operators for t in op.inputs}
    made = [t for op in network.operators for t in op.outputs]
    outputs = dict.fromkeys([*(t for t in made if t not in read), *random.sample(made, random.randint(0, 1))])
    if batch > 1:
        network.tensors = [_batched(t, batch) for t in network.tensors]
    return build_model(network.tensors, network.operators, network.inputs, tuple(outputs))


def _batched(tensor: T, batch: int) -> T:
    """An activation of batch 1 with another batch."""
    known = tensor.data is not None or len(tensor.shape) < 2
    return tensor if known else replace(tensor, shape=(batch, *tensor.shape[1:]))


def _typed(random: Random, dtype: str) -> bytes:
    """A chain of int16 or float32 operators, with one that stays stock somewhere."""
    n = TypedBuilder(
        dtype, (1, random.randint(4, 10), random.randint(3, 8), random.choice((1, 2, 4))), random.randrange(999)
    )
    last = n.input
    for _ in range(random.randint(1, 5)):
        kind = random.choice(("conv", "depthwise", "pool", "unary", "binary", "pad", "stock"))
        if kind == "conv":
            last = n.conv(last, random.randint(1, 4), activation=random.choice(("NONE", "RELU")))
        elif kind == "depthwise":
            last = n.conv(last, n.shape(last)[3], (3, 3), depthwise=True)
        elif kind == "pool":
            window = (min(2, n.shape(last)[1]), min(2, n.shape(last)[2]))
            last = n.pool(last, window, kind=random.choice(("MAX_POOL_2D", "AVERAGE_POOL_2D")))
        elif kind == "unary":
            last = n.unary("RELU" if dtype == "INT16" else random.choice(("RELU", "LOGISTIC", "TANH")), last)
        elif kind == "binary":
            last = n.binary(random.choice(("ADD", "MUL")), last, last)
        elif kind == "pad":
            last = n.pad(last, [(0, 0), (1, 0), (0, 1), (0, 0)])
        else:
            axes = n.constant(np.array([1], np.int32), "INT32")
            made = n.activation(n.shape(last), n.spread[last])
            n.tensors[made] = replace(n.tensors[made], scale=n.tensors[last].scale)
            last = n.op("REVERSE_V2", [last, axes], [made])
    if not n.operators:
        last = n.unary("RELU", last)
    return build_model(n.tensors, n.operators, n.inputs, [last])
