"""Which inputs may make a model answer differently, when random ones do not?

Random bytes saturate many heads, and token ids may all fall outside of what was trained. So here are inputs of other sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split.arithmetic.affine import QUANTIZED_DTYPES
from tflm_split.ir.graph import Graph, Tensor
from tflm_split.verify.compare import NUMPY_DTYPES, value_range

Array = NDArray[Any]
_Draw = Callable[[np.random.Generator, float, float, float, tuple[int, ...], int], Array]
"""(generator, least value, greatest, value of nothing, shape, number of the input) -> values."""


def _small(rng: np.random.Generator, low: float, high: float, zero: float, shape: tuple[int, ...], k: int) -> Array:
    """Values around nothing, in ever wider ranges."""
    radius = (high - low) / 2 ** (7 - k % 6)
    return rng.uniform(max(zero - radius, low), min(zero + radius, high), shape)


def _even(rng: np.random.Generator, low: float, high: float, zero: float, shape: tuple[int, ...], k: int) -> Array:
    """The same value everywhere: both ends of the range, then any."""
    return np.full(shape, (low, high)[k] if k < 2 else rng.uniform(low, high))


def _spikes(rng: np.random.Generator, low: float, high: float, zero: float, shape: tuple[int, ...], k: int) -> Array:
    """Nothing, but for a few elements at an end of the range."""
    return np.where(rng.random(shape) < 0.02 * (k + 1), rng.choice([low, high], shape), zero)


_DRAWS: tuple[_Draw, ...] = (_small, _even, _spikes)
ROUNDS = len(_DRAWS)
"""How many kinds of other inputs there are."""


def other_inputs(graph: Graph, kind: int, count: int, seed: int) -> list[tuple[Array, ...]]:
    """`count` inputs of one kind, below `ROUNDS`. The same arguments always give the same inputs."""
    rng = np.random.default_rng([seed, kind + 1])
    tensors = [graph.tensors[t] for t in graph.inputs]
    return [tuple(_values(rng, graph, t, kind, k) for t in tensors) for k in range(count)]


def _values(rng: np.random.Generator, graph: Graph, tensor: Tensor, kind: int, k: int) -> Array:
    low, high = value_range(graph, tensor)
    zero = 0.0
    if tensor.dtype in QUANTIZED_DTYPES and tensor.quantization is not None:
        zero = float(tensor.quantization.zero_points[0])
    values = _DRAWS[kind](rng, low, high, min(max(zero, low), high), tensor.shape, k)
    dtype = NUMPY_DTYPES[tensor.dtype]
    return values.astype(dtype) if tensor.dtype == "FLOAT32" else np.round(values).astype(dtype)
