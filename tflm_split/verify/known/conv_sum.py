"""CONV_SUM and CONV_SUM_LAST: a convolution that adds one group of input channels after the other to shared sums.

The output row of CONV_SUM_LAST is written after its sums are complete, so it may start where they do.
"""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.program.types import Op
from tflm_split.verify import oracle_int8
from tflm_split.verify.fixed_point import wrap32
from tflm_split.verify.known import rows
from tflm_split.verify.known.convolution import convolved
from tflm_split.verify.known.entry import Added, Known, Sums
from tflm_split.verify.known.sharing import APART
from tflm_split.verify.operands import Operands, Row


def _begins(op: Op) -> bool:
    """The first op's sums start with the bias."""
    return bool(int(op.params["flags"]) & WeightFlags.FIRST)


def _sums(step: Operands) -> Row:
    before = step.constant("bias_offset", np.int32) if _begins(step.op) else step.held(step.row)
    return wrap32(before + convolved(step))


def _conv_sum(step: Operands) -> Added:
    return Added(_sums(step), None)


def _conv_sum_last(step: Operands) -> Added:
    sums = _sums(step)
    return Added(sums, oracle_int8.scale(step, sums))


KNOWN = {
    OpKind.CONV_SUM: Known(_conv_sum, rows.window, APART, sums=Sums(_begins, completes=False)),
    OpKind.CONV_SUM_LAST: Known(_conv_sum_last, rows.window, APART, sums=Sums(_begins, completes=True)),
}
