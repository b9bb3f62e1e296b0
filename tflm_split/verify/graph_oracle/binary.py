"""Two operands element by element, of int8; ADD, SUB and MUL of int16, too."""

from __future__ import annotations

import numpy as np

from tflm_split.verify import fixed_point as fp
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation


def _add_or_sub(e: Evaluation) -> Array:
    a, b = e.tensor(0), e.tensor(1)
    s1, s2, so = e.scale(a), e.scale(b), e.scale(e.output)
    # In double for both: older TFLM sources have SUB in float, the pinned wheel does not (tests hold it to that).
    twice = 2 * float(max(s1, s2))
    bits = 15 if e.is_int16 else 20
    ratios = float(s1) / twice, float(s2) / twice, twice / ((1 << bits) * float(so))
    (m1, h1), (m2, h2), (mo, ho) = (fp.quantize_multiplier(r) for r in ratios)
    x = fp.multiply((e.integers(0) - e.zero_point(a)) << bits, m1, h1)
    y = fp.multiply((e.integers(1) - e.zero_point(b)) << bits, m2, h2)
    return e.finish(fp.multiply(fp.wrap32(x + y if e.op.kind == "ADD" else x - y), mo, ho))


def _mul(e: Evaluation) -> Array:
    a, b = e.tensor(0), e.tensor(1)
    m, h = fp.quantize_multiplier(float(e.scale(a)) * float(e.scale(b)) / float(e.scale(e.output)))
    return e.finish(fp.multiply(fp.wrap32((e.integers(0) - e.zero_point(a)) * (e.integers(1) - e.zero_point(b))), m, h))


def _squared_difference(e: Evaluation) -> Array:
    """Seven bits of headroom per operand, fourteen in the square."""
    a, b = e.tensor(0), e.tensor(1)
    twice = 2 * float(max(e.scale(a), e.scale(b)))
    (m1, h1), (m2, h2) = (fp.quantize_multiplier(float(e.scale(t)) / twice) for t in (a, b))
    mo, ho = fp.quantize_multiplier(twice * twice / ((1 << 14) * float(e.scale(e.output))))
    x = fp.multiply((e.int8(0) - e.zero_point(a)) << 7, m1, h1)
    y = fp.multiply((e.int8(1) - e.zero_point(b)) << 7, m2, h2)
    return e.finish(fp.multiply((x - y) ** 2, mo, ho))


def _prelu(e: Evaluation) -> Array:
    a, slope = e.tensor(0), e.tensor(1)
    ratio = float(e.scale(a)) / float(e.scale(e.output))
    x = e.int8(0) - e.zero_point(a)
    m, h = fp.quantize_multiplier(float(e.scale(a)) * float(e.scale(slope)) / float(e.scale(e.output)))
    below = fp.multiply(x * (e.int8(1) - e.zero_point(slope)), m, h)
    return e.finish(np.where(x >= 0, fp.multiply(x, *fp.quantize_multiplier(ratio)), below))


def _extreme(e: Evaluation) -> Array:
    return np.asarray((np.minimum if e.op.kind == "MINIMUM" else np.maximum)(e.int8(0), e.int8(1)))


EVALUATE: Evaluate = {
    "ADD": _add_or_sub,
    "SUB": _add_or_sub,
    "MUL": _mul,
    "MINIMUM": _extreme,
    "MAXIMUM": _extreme,
    "SQUARED_DIFFERENCE": _squared_difference,
    "PRELU": _prelu,
}
