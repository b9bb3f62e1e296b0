"""Pools of int8 and int16, and what sums or compares along whole axes."""

from __future__ import annotations

import numpy as np

from tflm_split.verify import fixed_point as fp
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation


def _pool(e: Evaluation) -> Array:
    kernel = int(e.option("filter_height")), int(e.option("filter_width"))
    average = e.op.kind == "AVERAGE_POOL_2D"
    taps, inside = e.windows(e.integers(0), kernel, (1, 1), 0 if average else -32768)
    if average:
        counts = inside.sum(axis=0)[None, :, :, None]
        sums = taps.sum(axis=0)
        pooled = fp.divide_to_zero(np.where(sums > 0, sums + counts // 2, sums - counts // 2), counts)
    else:
        pooled = taps.max(axis=0)
    return np.clip(pooled, *e.activation_range())


def _mean(e: Evaluation) -> Array:
    """MEAN, SUM and REDUCE_MAX."""
    x = e.integers(0)
    axes = tuple(sorted({int(axis) % x.ndim for axis in e.value(1).reshape(-1)}))
    if e.op.kind == "REDUCE_MAX":
        return np.asarray(x.max(axis=axes))
    count = int(np.prod([x.shape[axis] for axis in axes], dtype=np.int64))
    m, h = fp.quantize_multiplier(float(e.scale(e.tensor(0))) / float(e.scale(e.output)))
    shift = min(count.bit_length() - 1, 32, 31 + h) if e.op.kind == "MEAN" else 0
    m, h = ((m << shift) // count, h - shift) if e.op.kind == "MEAN" else (m, h)
    sums = fp.wrap32(x.sum(axis=axes) - e.zero_point(e.tensor(0)) * count)
    return e.finish(fp.multiply(sums, m, h), activation=False)


EVALUATE: Evaluate = {
    "SUM": _mean,
    "REDUCE_MAX": _mean,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
}
