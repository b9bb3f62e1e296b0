"""Two operands element by element: ADD, SUB, MUL, MINIMUM, MAXIMUM, SQUARED_DIFFERENCE, PRELU, BINARY_INT16, BINARY_FLOAT."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tflm_split.kinds import BinaryMode, OpKind
from tflm_split.program.types import View
from tflm_split.verify.fixed_point import clamp, multiply, wrap32
from tflm_split.verify.known import rows
from tflm_split.verify.known.entry import Compute, Known
from tflm_split.verify.known.sharing import SAME_ROW
from tflm_split.verify.operands import Floats, Operands, Row
from tflm_split.verify.oracle_float import limited


def _row_of(step: Operands, view: View) -> int:
    """An operand of one row is broadcast."""
    return 0 if view.row_count == 1 else step.row


def _operands(step: Operands) -> tuple[Row, Row]:
    """Both operands, broadcast over the output's row."""
    shape = (step.output.column_count, step.output.channel_count)
    a, b = step.read(_row_of(step, step.source)), step.read_second(_row_of(step, step.second))
    return np.broadcast_to(a, shape), np.broadcast_to(b, shape)


def _from_zero_points(step: Operands) -> tuple[Row, Row]:
    a, b = _operands(step)
    return a - step.p["zero_point1"], b - step.p["zero_point2"]


def _on_one_scale(step: Operands, a: Row, b: Row) -> tuple[Row, Row]:
    p = step.p
    return (
        multiply(a << p["left_shift"], p["multiplier1"], p["shift1"]),
        multiply(b << p["left_shift"], p["multiplier2"], p["shift2"]),
    )


def _finished(step: Operands, result: Row, zero_point: int) -> Row:
    scaled = multiply(wrap32(result), step.p["output_multiplier"], step.p["output_shift"])
    return clamp(scaled + zero_point, step.p)


def _add(step: Operands) -> Row:
    a, b = _on_one_scale(step, *_from_zero_points(step))
    return _finished(step, a + b, step.p["output_zero_point"])


def _sub(step: Operands) -> Row:
    a, b = _on_one_scale(step, *_from_zero_points(step))
    return _finished(step, a - b, step.p["output_zero_point"])


def _mul(step: Operands) -> Row:
    a, b = _from_zero_points(step)
    return _finished(step, a * b, step.p["output_zero_point"])


def _squared_difference(step: Operands) -> Row:
    a, b = _on_one_scale(step, *_from_zero_points(step))
    difference = wrap32(a - b)
    return _finished(step, difference * difference, step.p["output_zero_point"])


def _extreme(choose: Callable[[Row, Row], npt.NDArray[np.int64]]) -> Compute:
    return lambda step: np.asarray(choose(*_operands(step)))


def _prelu(step: Operands) -> Row:
    p, (a, b) = step.p, _from_zero_points(step)
    above, below = multiply(a, p["multiplier1"], p["shift1"]), multiply(a * b, p["multiplier2"], p["shift2"])
    return clamp(np.where(a >= 0, above, below) + p["output_zero_point"], p)


def _binary_int16(step: Operands) -> Row:
    """Without zero points."""
    a, b = _operands(step)
    mode = BinaryMode(step.p["mode"])
    if mode is BinaryMode.MUL:
        return _finished(step, a * b, 0)
    a, b = _on_one_scale(step, a, b)
    return _finished(step, a - b if mode is BinaryMode.SUB else a + b, 0)


def _binary_float(step: Operands) -> Floats:
    shape = (step.output.column_count, step.output.channel_count)
    a = np.broadcast_to(step.read_floats(_row_of(step, step.source)), shape)
    b = np.broadcast_to(step.read_second_floats(_row_of(step, step.second)), shape)
    match BinaryMode(step.p["mode"]):
        case BinaryMode.ADD:
            return limited(step, a + b)
        case BinaryMode.SUB:
            return limited(step, a - b)
        case BinaryMode.MUL:
            return limited(step, a * b)


KNOWN = {
    OpKind.ADD: Known(_add, rows.same_row_or_only, SAME_ROW),
    OpKind.SUB: Known(_sub, rows.same_row_or_only, SAME_ROW),
    OpKind.MUL: Known(_mul, rows.same_row_or_only, SAME_ROW),
    OpKind.MINIMUM: Known(_extreme(np.minimum), rows.same_row_or_only, SAME_ROW),
    OpKind.MAXIMUM: Known(_extreme(np.maximum), rows.same_row_or_only, SAME_ROW),
    OpKind.SQUARED_DIFFERENCE: Known(_squared_difference, rows.same_row_or_only, SAME_ROW),
    OpKind.PRELU: Known(_prelu, rows.same_row_or_only, SAME_ROW),
    OpKind.BINARY_INT16: Known(_binary_int16, rows.same_row_or_only, SAME_ROW),
    OpKind.BINARY_FLOAT: Known(_binary_float, rows.same_row_or_only, SAME_ROW),
}
