"""Which images are the models of `models/` trained and judged on, and how do they become a model's input?

scikit-learn's handwritten digits: 8x8 pixels of 0..16, scaled up to whatever size a model takes. Pure numpy and
element-wise float64 arithmetic only, so that training and every later measurement feed exactly the same bytes.
"""

from __future__ import annotations

from math import isqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

TEST_FILE = Path(__file__).resolve().parent.parent / "models" / "digits_test.npz"
TEST_COUNT = 360
"""The last 360 of the 1,797 images, in the dataset's own order, are kept for testing; no model has seen them."""

FULL_WHITE = 16
"""The largest pixel value in the dataset."""

CLASSES = 10

PATCH = 4
"""Pixels along each side of what becomes one pixel of many channels."""
LEVELS = 10
"""How many thresholds each pixel of a patch is held against."""

ANOMALY = 0
"""The digit the autoencoder never saw in training and must find strange."""

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


def test_set() -> tuple[Bytes, Bytes]:
    """The test images [360, 8, 8] of 0..16 and their labels [360] of 0..9."""
    with np.load(TEST_FILE) as stored:
        return np.asarray(stored["images"], np.uint8), np.asarray(stored["labels"], np.uint8)


def resized(images: Bytes, height: int, width: int) -> Floats:
    """The images [n, 8, 8] scaled to [n, height, width], values 0..1.

    Bilinear with half-pixel centres; beyond the outermost centres the border pixel is repeated.
    """
    scaled = np.asarray(images, np.float64) / FULL_WHITE
    return _interpolated(_interpolated(scaled, axis=1, size=height), axis=2, size=width)


def _interpolated(values: Floats, axis: int, size: int) -> Floats:
    """`values` with `size` samples along `axis`, linear between the neighbouring ones."""
    old = values.shape[axis]
    centres = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0.0, old - 1.0)
    low = np.floor(centres).astype(np.intp)
    high = np.minimum(low + 1, old - 1)
    weight = (centres - low).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    blended: Floats = values.take(low, axis) * (1.0 - weight) + values.take(high, axis) * weight
    return blended


def as_input(images: Bytes, shape: tuple[int, ...]) -> Floats:
    """The images [n, 8, 8] as real-valued inputs [n, *shape] of 0..1, for a model whose one sample has `shape`.

    `(height, width, channels)`: channel c is the scaled image moved c/32 of the width to the right, so that the
    channels differ and their order matters. As many channels as `PATCH * PATCH * LEVELS`: what a first layer would hand
    on, see `_patches`. `(features,)`: a square image, flattened row by row. Raises ValueError for any other shape.
    """
    if len(shape) == 3 and shape[2] == PATCH * PATCH * LEVELS:
        return _patches(images, shape[0], shape[1])
    if len(shape) == 3:
        height, width, channels = shape
        gray = resized(images, height, width)
        return np.stack([_moved_right(gray, c * width // 32) for c in range(channels)], axis=-1)
    if len(shape) == 1 and isqrt(shape[0]) ** 2 == shape[0]:
        side = isqrt(shape[0])
        return resized(images, side, side).reshape(len(images), shape[0])
    raise ValueError(f"a digit cannot be made into an input of shape {list(shape)}")


def _patches(images: Bytes, height: int, width: int) -> Floats:
    """Each pixel a patch of the image, `PATCH` times as large, and of every pixel of it, what is above each threshold."""
    large = resized(images, height * PATCH, width * PATCH).reshape(len(images), height, PATCH, width, PATCH)
    pixels = large.transpose(0, 1, 3, 2, 4).reshape(len(images), height, width, PATCH * PATCH, 1)
    above = np.maximum(pixels - np.arange(LEVELS) / LEVELS, 0.0)
    return above.reshape(len(images), height, width, PATCH * PATCH * LEVELS)


def _moved_right(images: Floats, pixels: int) -> Floats:
    """Every image moved right by `pixels`, black entering from the left."""
    moved = np.zeros_like(images)
    moved[:, :, pixels:] = images[:, :, : images.shape[2] - pixels]
    return moved


def quantized(
    values: Floats, scale: float, zero_point: int, dtype: type[np.signedinteger] = np.int8
) -> npt.NDArray[np.signedinteger]:
    """Real values as integers, rounded to nearest (ties to even) and clamped, as the model's quantisation says."""
    limits = np.iinfo(dtype)
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(dtype)


def dequantized(values: npt.NDArray[np.signedinteger], scale: float, zero_point: int) -> Floats:
    """Integers as the real numbers they stand for."""
    return (values.astype(np.float64) - zero_point) * scale


def anomaly_auc(inputs: Floats, outputs: Floats, labels: Bytes) -> float:
    """How well does the reconstruction error tell `ANOMALY` from the digits the autoencoder knows? 0.5 is chance.

    The area under the ROC curve: the probability that a strange digit has a larger mean squared error than a known
    one, equal errors counting half. `inputs` and `outputs` are [n, features].
    Raises ValueError unless both kinds occur.
    """
    if np.all(labels == ANOMALY) or not np.any(labels == ANOMALY):
        raise ValueError(f"an anomaly score needs images of {ANOMALY} and of other digits: take more images")
    errors = np.mean((inputs - outputs) ** 2, axis=1)
    strange, known = errors[labels == ANOMALY, None], errors[None, labels != ANOMALY]
    return float(np.mean((strange > known) + 0.5 * (strange == known)))
