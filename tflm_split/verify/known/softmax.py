"""SOFTMAX, SOFTMAX_INT16 and SOFTMAX_FLOAT."""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.verify import libm
from tflm_split.verify.fixed_point import multiply, softmax_from_exps
from tflm_split.verify.known import rows
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import SAME_ROW
from tflm_split.verify.operands import Floats, Operands, Row


def _softmax(step: Operands) -> Row:
    x = step.read(step.row)
    below = x.max(axis=-1, keepdims=True) - x
    table = step.constant("exps_offset", np.int32)
    counted = below < len(table)
    return softmax_from_exps(table[np.where(counted, below, 0)], counted)


def _softmax_int16(step: Operands) -> Row:
    """Exponentials and reciprocals by interpolation in tables."""
    x = step.read(step.row)
    below = multiply(x - x.max(axis=-1, keepdims=True), step.p["multiplier"], step.p["shift"])
    exp = _interpolate(step.constant("exps_table_offset", np.int16), np.clip(below + 32767, -32768, 32767))
    total = exp.sum(axis=-1, keepdims=True)
    bits = np.floor(np.log2(total)).astype(np.int64)  # exact: sums are far below 2**53
    mantissa = ((total << (30 - bits)) + (1 << 13)) >> 14
    at = np.clip(mantissa - (1 << 15) - (1 << 16), -32768, 32767)
    reciprocal = _interpolate(step.constant("reciprocals_table_offset", np.int16), at)
    rounded: Row = (exp * reciprocal + (np.int64(1) << (bits - 1))) >> bits
    return np.clip(rounded, 0, 32767)


def _interpolate(table: Row, x: Row) -> Row:
    index, offset = (x >> 7) + 256, x & 0x7F
    between: Row = table[index] + (((table[index + 1] - table[index]) * offset + 64) >> 7)
    return between


def _softmax_float(step: Operands) -> Floats:
    return libm.softmax(step.read_floats(step.row), float(step.params["beta"]))


KNOWN = {
    OpKind.SOFTMAX: Known(_softmax, rows.same_row, SAME_ROW),
    OpKind.SOFTMAX_INT16: Known(_softmax_int16, rows.same_row, SAME_ROW),
    OpKind.SOFTMAX_FLOAT: Known(_softmax_float, rows.same_row, SAME_ROW),
}
