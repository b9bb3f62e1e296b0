"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR."""

from __future__ import annotations

import numpy as np

from tflm_split.verify import fixed_point as fp
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation


def _resize_nearest(e: Evaluation) -> Array:
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


def _resize_bilinear(e: Evaluation) -> Array:
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


EVALUATE: Evaluate = {
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "RESIZE_BILINEAR": _resize_bilinear,
}
