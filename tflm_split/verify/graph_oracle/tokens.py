"""BATCH_MATMUL."""

from __future__ import annotations

import numpy as np

from tflm_split.verify import fixed_point as fp
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation, matrix_product


def _batch_matmul(e: Evaluation) -> Array:
    a, b = (e.int8(k) - e.zero_point(e.tensor(k)) for k in (0, 1))
    a = np.swapaxes(a, -1, -2) if e.option("adj_x") else a
    b = np.swapaxes(b, -1, -2) if e.option("adj_y") else b
    ratio = float(e.scale(e.tensor(0))) * float(e.scale(e.tensor(1))) / float(e.scale(e.output))
    return e.finish(fp.multiply(fp.wrap32(matrix_product(a, b)), *fp.quantize_multiplier(ratio)), activation=False)


EVALUATE: Evaluate = {
    "BATCH_MATMUL": _batch_matmul,
}
