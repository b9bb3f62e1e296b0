"""What do the float32 ops compute? Their numpy twins, for `oracle.py`, one rounding at a time in the order of the format.

Every operation on arrays of float32 rounds once per element; the loops over taps and channels are what sets the order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tflm_split.kinds import BinaryMode, PoolMode, UnaryMode

Floats = npt.NDArray[np.float32]
Params = Mapping[str, int | float]
Taps = list[tuple[int, int, Floats, npt.NDArray[np.bool_]]]
"""(kernel row, kernel column, pixels [columns, channels], which of them lie inside) in the order sums run."""

LOWEST = np.finfo(np.float32).min


def limited(p: Params, values: Floats, low: str = "output_min", high: str = "output_max") -> Floats:
    """NaN passes, and so does the sign of a zero."""
    floor, ceiling = np.float32(p[low]), np.float32(p[high])
    raised = np.where(values < floor, floor, values)
    return np.where(ceiling < raised, ceiling, raised).astype(np.float32)


def convolution(p: Params, taps: Taps, weights: Floats, bias: Floats) -> Floats:
    """Weights [out, kernel rows, kernel columns, channels in / groups]."""
    groups, depth = int(p["groups"]), weights.shape[3]
    per_group = len(weights) // groups
    parts = []
    for g in range(groups):
        kernel = weights[g * per_group : (g + 1) * per_group]
        total = np.zeros((taps[0][2].shape[0], per_group), np.float32)
        for k, t, pixels, inside in taps:
            for i in range(depth):
                product = pixels[:, g * depth + i, None] * kernel[None, :, k, t, i]
                total = np.where(inside[:, None], total + product, total)
        parts.append(total)
    return limited(p, np.concatenate(parts, axis=1) + bias)


def depthwise(p: Params, taps: Taps, weights: Floats, bias: Floats) -> Floats:
    """Weights [kernel rows, kernel columns, out]."""
    total = np.zeros((taps[0][2].shape[0], weights.shape[2]), np.float32)
    for k, t, pixels, inside in taps:
        product = np.repeat(pixels, int(p["groups"]), axis=1) * weights[k, t]
        total = np.where(inside[:, None], total + product, total)
    return limited(p, total + bias)


def pool(p: Params, taps: Taps) -> Floats:
    """Averages count the taps inside."""
    shape = taps[0][2].shape
    if p["mode"] == PoolMode.MAXIMUM:
        largest = np.full(shape, LOWEST, np.float32)
        for _, _, pixels, inside in taps:
            largest = np.where(inside[:, None] & (largest < pixels), pixels, largest)
        return limited(p, largest)
    total, count = np.zeros(shape, np.float32), np.zeros((shape[0], 1), np.float32)
    for _, _, pixels, inside in taps:
        total = np.where(inside[:, None], total + pixels, total)
        count += inside[:, None]
    return limited(p, total / count)


def binary(p: Params, a: Floats, b: Floats) -> Floats:
    """Operands of one shape."""
    match BinaryMode(int(p["mode"])):
        case BinaryMode.ADD:
            return limited(p, a + b)
        case BinaryMode.SUB:
            return limited(p, a - b)
        case BinaryMode.MUL:
            return limited(p, a * b)


def unary(p: Params, x: Floats) -> Floats:
    """Element by element."""
    if p["mode"] == UnaryMode.LEAKY:
        return np.where(x > 0, x, x * np.float32(p["slope"])).astype(np.float32)
    return limited(p, x, "low", "high")


def add_pixels(sums: Floats, x: Floats) -> Floats:
    """One pixel after the other."""
    for pixel in x:
        sums = sums + pixel
    return sums


def add_products(sums: Floats, weights: Floats, x: Floats) -> Floats:
    """One product after the other; weights [outputs, elements]."""
    for i, value in enumerate(x.reshape(-1)):
        sums = sums + weights[:, i] * value
    return sums
