"""More operators for random networks: those of temporal networks, detection heads, channel shuffles, ... wherever they fit.

Like `random_networks.py`, but with a seeded generator instead of hypothesis, for `scripts/fuzz_networks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from random import Random

import numpy as np
from odd_typed_networks import typed_network
from random_networks import _GROWERS, STOCK_GROWERS, Choice, Network
from tiny_models import T, build_model

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

    def made(self, shape: tuple[int, ...], spread: float, fixed: tuple[float, int] | None = None) -> int:
        """An activation whose values are said to be spread so widely."""
        return self._output(self.rng.normal(0, spread, (3, *shape)), fixed=fixed)

    def spread(self, source: int) -> float:
        return float(np.abs(self._values[source]).mean()) + 1e-3

    def lstm(self, source: int, units: int) -> int:
        """UNIDIRECTIONAL_SEQUENCE_LSTM over [1, time, depth]."""
        _, time, depth = self.shape(source)
        operands = [source]
        for size in (*[depth] * 4, *[units] * 4):
            data = self.rng.integers(-127, 128, (units, size))
            operands.append(self.constant(data, "INT8", scale=0.01))
        operands += [-1] * 3
        operands += [self.constant(self.rng.integers(-900, 900, units), "INT32", scale=5e-4) for _ in range(4)]
        output = self.made((1, time, units), 0.3, (1 / 128, self.number(-3, 3)))
        like = self.tensors[output]
        state = replace(like, shape=(1, units), is_variable=True)
        cell = T((1, units), "INT16", 2.0**-11, 0, is_variable=True)
        operands += [-1, -1, self._append(state), self._append(cell), *[-1] * 4]
        options = {"fused_activation_function": "TANH", "cell_clip": float(self.choose(0.0, 1.0)), "proj_clip": 0.0}
        return self._op("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, output, **options)


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
    if h % 2 == 0 and n.number(0, 1):  # pairs of rows side by side, as their channels
        pairs = n.reshape(source, (1, h // 2, 2, w, c))
        return n.reshape(n.transposed(pairs, (0, 1, 3, 2, 4)), (1, h // 2, w, 2 * c))
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


def _lstm(n: Network) -> int | None:
    """A sequence LSTM over rows."""
    assert isinstance(n, OddNetwork)
    source = n.source()
    if source is None or len(n.shape(source)) < 3 or n.shape(source)[1] > 24:
        return None
    shape = (1, n.shape(source)[1], prod(n.shape(source)[2:]))
    steps = source if n.shape(source) == shape else n.reshape(source, shape)
    return n.lstm(steps, n.number(1, 5))


def _svdf(n: Network) -> int | None:
    """An SVDF, which remembers."""
    assert isinstance(n, OddNetwork)
    source = n.source()
    if source is None or prod(n.shape(source)) > 400:
        return None
    depth, filters, memory = prod(n.shape(source)), n.number(1, 3), n.number(2, 4)
    flat = n.reshape(source, (1, depth))
    weights = [
        n.constant(n.rng.integers(-127, 128, s), "INT8", scale=0.01) for s in ((filters, depth), (filters, memory))
    ]
    bias = n.constant(n.rng.integers(-900, 900, filters), "INT32", scale=6e-4)
    state = n._append(T((1, filters * memory), "INT8", 0.06, 3, is_variable=True))
    output = n.made((1, filters), 1.0)
    return n._op("SVDF", [flat, *weights, bias, state], output, rank=1, fused_activation_function=1)


def _upsampled(n: Network) -> int | None:
    """TRANSPOSE_CONV, whose shape may be computed from a batch that is open in the file."""
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None or prod(n.shape(source)) > 400:
        return None
    _, h, w, c = n.shape(source)
    kernel, stride, channels = (n.number(1, 3), n.number(1, 3)), (n.number(1, 2), n.number(1, 2)), n.number(1, 4)
    kept = (h * stride[0], w * stride[1], channels)
    operands, _, _ = n._weights(source, (channels, *kernel, c), 0, c * prod(kernel), True, bool(n.number(0, 1)))
    shape = n.batch_shape(source, kept) if n.number(0, 1) else n.indices(1, *kept)
    options = {"padding": "SAME", "stride_h": stride[0], "stride_w": stride[1], "fused_activation_function": "NONE"}
    output = n.made((1, *kept), n.spread(source))
    return n._op("TRANSPOSE_CONV", [shape, operands[0], source, *operands[1:]], output, **options)


def _four_bits(n: Network) -> int | None:
    """A convolution, and so its weights are of 4 bits."""
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None:
        return None
    made = n.conv(source, n.number(1, 4), n.number(1, 3), n.number(1, 3), n.number(1, 2))
    operand = n.operators[-1].inputs[1]
    given = n.tensors[operand]
    assert given.data is not None
    n.tensors[operand] = replace(given, dtype="INT4", data=np.clip(given.data // 17, -8, 7).astype(np.int8))
    return made


def _extreme(n: Network) -> int | None:
    """MAXIMUM or MINIMUM, with a constant or with what is quantised alike."""
    assert isinstance(n, OddNetwork)
    source = n.source()
    if source is None:
        return None
    shape, like = n.shape(source), n.tensors[source]
    kind = str(n.choose("MAXIMUM", "MINIMUM"))
    if n.number(0, 1):
        other = n.unary("RELU", source)
        n.tensors[other] = replace(n.tensors[other], scale=like.scale, zero_point=like.zero_point)
    else:
        data = n.rng.integers(-60, 60, n.choose(shape, (1,) * len(shape)))
        other = n.constant(data, "INT8", scale=like.scale, zero_point=like.zero_point)
    return n._op(kind, [source, other], n._output(n._values[source], like=source))


def _prelu(n: Network) -> int | None:
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None:
        return None
    alpha = n.constant(n.rng.integers(-127, 128, (1, 1, n.shape(source)[3])), "INT8", scale=0.004)
    return n._op("PRELU", [source, alpha], n._output(n._values[source]))


def _resized(n: Network) -> int | None:
    """RESIZE_NEAREST_NEIGHBOR, RESIZE_BILINEAR, DEPTH_TO_SPACE or SPACE_TO_DEPTH."""
    assert isinstance(n, OddNetwork)
    source = n.source(4)
    if source is None or prod(n.shape(source)) > 400:
        return None
    _, h, w, c = n.shape(source)
    spread = n.spread(source)
    shapes = {"RESIZE_NEAREST_NEIGHBOR": (1, 2 * h, 2 * w, c), "RESIZE_BILINEAR": (1, 2 * h, 2 * w, c)}
    if c % 4 == 0:
        shapes["DEPTH_TO_SPACE"] = (1, 2 * h, 2 * w, c // 4)
    if h % 2 == w % 2 == 0:
        shapes["SPACE_TO_DEPTH"] = (1, h // 2, w // 2, 4 * c)
    kind = str(n.choose(*shapes))
    made = n._output(n.rng.normal(0, spread, (3, *shapes[kind])), like=source)
    if kind.startswith("RESIZE"):
        return n._op(kind, [source, n.indices(2 * h, 2 * w)], made)
    return n._op(kind, [source], made, block_size=2)


def _matmul(n: Network) -> int | None:
    """BATCH_MATMUL of a tensor with itself, or with a constant."""
    assert isinstance(n, OddNetwork)
    source = n.source()
    if source is None or len(n.shape(source)) not in (3, 4) or prod(n.shape(source)) > 400:
        return None
    return n.matmul(source, source, transposed=True)


ODD_GROWERS: dict[str, Grower] = {
    "transpose": _transpose, "transposed pair": _transposed_pair, "shuffle": _shuffle, "gather": _gather, "mirror": _mirror,
    "reduced": _reduced, "causal": _causal, "spaced": _spaced, "two heads": _two_heads, "tall window": _tall_window,
    "lstm": _lstm, "svdf": _svdf, "upsampled": _upsampled, "four bits": _four_bits, "extreme": _extreme, "prelu": _prelu,
    "resized": _resized, "matmul": _matmul,
}  # fmt: skip
SHAPES = ((1, 12, 8, 4), (1, 1, 40, 2), (1, 9, 7, 3), (1, 5, 5, 8), (1, 60, 1, 1), (1, 8, 12, 6), (1, 16, 3, 2))


def odd_network(seed: int, operators: int = 8) -> bytes:
    """The model that belongs to `seed`: int8 mostly, int16 or float32, of batch 1 mostly, with up to `operators` draws."""
    random = Random(seed)
    form = random.random()
    if form < 0.2:
        return typed_network(random, "INT16" if form < 0.1 else "FLOAT32")
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
