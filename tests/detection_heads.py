"""Networks with detection heads: several maps, each with convolutions that are reshaped to boxes and joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from tiny_models import Builder


def _joined(b: Builder, maps: Sequence[int], anchors: Sequence[int], values: int) -> int:
    """The boxes of all maps, [1, N, values]: a convolution, a RESHAPE and a part of a CONCATENATION for each map."""
    heads = [b.conv(m, a * values, 1, 1) for m, a in zip(maps, anchors, strict=True)]
    return b.concat([b.reshape(h, (1, prod(b.shape(h)) // values, values)) for h in heads], 1)


def _pyramid(b: Builder, channels: Sequence[int]) -> list[int]:
    """Maps of falling size: a strided convolution for each number of channels."""
    maps = [b.input]
    for count in channels:
        maps.append(b.conv(maps[-1], count, 3, 3, 2, activation="RELU"))
    return maps[1:]


def ssd(size: int = 64) -> bytes:
    """Class scores through a SOFTMAX, and boxes, of three maps."""
    b = Builder((1, size, size, 1))
    maps = _pyramid(b, (8, 16, 24, 32))[1:]
    scores = b.softmax(_joined(b, maps, (3, 6, 6), 4))
    return b.finish(scores, _joined(b, maps, (3, 6, 6), 4))


def blazeface(size: int = 64) -> bytes:
    """One score for each of 2 or 6 boxes per pixel, through a LOGISTIC, and 16 numbers for each."""
    b = Builder((1, size, size, 1))
    maps = _pyramid(b, (8, 16, 24, 32))[2:]
    scores = b.unary("LOGISTIC", _joined(b, maps, (2, 6), 1))
    return b.finish(scores, _joined(b, maps, (2, 6), 16))


def decoded(size: int = 64) -> bytes:
    """Boxes of two maps, decoded: corner and size are slices, times and plus constants, joined again."""
    b = Builder((1, size, size, 1))
    boxes = _joined(b, _pyramid(b, (8, 16, 24))[1:], (3, 3), 4)
    count = b.shape(boxes)[1]
    parts = []
    for first in (0, 2):
        begin, extent = (b.constant(np.array(n, np.int32)) for n in ([0, 0, first], [1, count, 2]))
        part = b._op("SLICE", [boxes, begin, extent], b._output(b._values[boxes][..., first : first + 2], like=boxes))
        scaled = b.add(part, b.quantized_constant((1, count, 2)), kind="MUL")
        parts.append(b.add(scaled, b.quantized_constant((1, count, 2))))
    return b.finish(b.concat(parts, 2))


def grid(size: int = 64) -> bytes:
    """Boxes as [1, H * W, A, 5] with constants for each anchor: LOGISTIC, MUL and ADD of rank 4 behind the RESHAPE."""
    b = Builder((1, size, size, 1))
    heads = [b.conv(m, 15, 1, 1) for m in _pyramid(b, (8, 16, 24))[1:]]
    parts = []
    for h in heads:
        pixels = prod(b.shape(h)[1:3])
        seen = b.unary("LOGISTIC", b.reshape(h, (1, pixels, 3, 5)))
        scaled = b.add(seen, b.quantized_constant((1, 1, 3, 5)), kind="MUL")
        parts.append(b.reshape(scaled, (1, 3 * pixels, 5)))
    return b.finish(b.concat(parts, 1))


HEADS: dict[str, Callable[[], bytes]] = {"ssd": ssd, "blazeface": blazeface, "decoded": decoded, "grid": grid}
