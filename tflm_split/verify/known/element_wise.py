"""One operand element by element: LUT, QUANTIZE_FLOAT, UNARY_INT16, UNARY_FLOAT and LIBRARY_FLOAT."""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import OpKind, UnaryMode
from tflm_split.verify import libm
from tflm_split.verify.fixed_point import MAX32, MIN32, clamp, multiply
from tflm_split.verify.known import rows
from tflm_split.verify.known.entry import Known, Numbers
from tflm_split.verify.known.sharing import CLOSER_PIXELS, SAME_ROW
from tflm_split.verify.operands import Floats, Operands, Row
from tflm_split.verify.oracle_float import limited


def _lut(step: Operands) -> Row:
    table = step.constant("table_offset", np.uint8 if step.output.element_bytes == 1 else np.int32)
    return np.take(table, step.read(step.row) & 0xFF)


def _whole_steps(step: Operands, nan: int) -> Row:
    """Floats over the scale, halves away from zero, as int32s; `nan` for what is no number."""
    with np.errstate(over="ignore"):  # a quotient beyond float32 is infinite, and saturates like any large one
        scaled = (step.read_floats(step.row) / np.float32(step.params["scale"])).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    whole: Row = np.clip(np.where(np.isnan(rounded), nan, rounded), MIN32, MAX32).astype(np.int64)
    return whole


def _quantize_float(step: Operands) -> Row:
    """TFLM leaves open what becomes of NaN."""
    return clamp(_whole_steps(step, nan=0) + step.p["zero_point"], step.p)


def _unary_int16(step: Operands) -> Numbers:
    p = step.p
    if p["mode"] == UnaryMode.FROM_FLOAT:
        return clamp(_whole_steps(step, nan=MIN32) + p["output_zero_point"], p)
    d = step.read(step.row) - p["input_zero_point"]
    if p["mode"] == UnaryMode.TO_FLOAT:
        product: Floats = d.astype(np.float32) * np.float32(step.params["scale"])
        return product
    above = multiply(d, p["multiplier"], p["shift"])
    below = multiply(d, p["negative_multiplier"], p["negative_shift"])
    return clamp(np.where(d < 0, below, above) + p["output_zero_point"], p)


def _unary_float(step: Operands) -> Floats:
    x = step.read_floats(step.row)
    if step.p["mode"] == UnaryMode.LEAKY:
        return np.where(x > 0, x, x * np.float32(step.params["slope"])).astype(np.float32)
    if step.p["mode"] == UnaryMode.HARD_SWISH:
        return libm.hard_swish(x)
    return limited(step, x, "low", "high")


def _library_float(step: Operands) -> Floats:
    x = step.read_floats(step.row)
    match step.p["mode"]:
        case UnaryMode.LOGISTIC:
            return libm.logistic(x)
        case UnaryMode.TANH:
            return libm.call("tanhf", x)
        case _:
            return libm.elu(x)


KNOWN = {
    OpKind.LUT: Known(_lut, rows.same_row, SAME_ROW),
    OpKind.QUANTIZE_FLOAT: Known(_quantize_float, rows.same_row, CLOSER_PIXELS),
    OpKind.UNARY_INT16: Known(_unary_int16, rows.same_row, SAME_ROW),
    OpKind.UNARY_FLOAT: Known(_unary_float, rows.same_row, SAME_ROW),
    OpKind.LIBRARY_FLOAT: Known(_library_float, rows.same_row, SAME_ROW),
}
