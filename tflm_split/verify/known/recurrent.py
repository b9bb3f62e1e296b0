"""LSTM, LSTM_INT16 and SIGMOID_INT16 (lstm_eval.h, integer_ops/logistic.h and tanh.h)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflm_split.kinds import OpKind, UnaryMode
from tflm_split.program.types import Op, Program
from tflm_split.verify.fixed_point import Int64s, multiply, multiply_wide, wrap32
from tflm_split.verify.known import rows
from tflm_split.verify.known.entry import Known, Numbers
from tflm_split.verify.known.sharing import APART, SAME_ROW
from tflm_split.verify.operands import Operands, Row
from tflm_split.verify.sigmoid import logistic, scaled, tanh

_GATE_MULTIPLIER = 3
"""A gate's sum has 12 bits behind the point: three of its units are one 512th of a table's step."""


def _sat16(x: Int64s) -> Int64s:
    return np.clip(x, -(2**15), 2**15 - 1)


def _scaled(step: Operands, x: Int64s) -> Int64s:
    """The argument of the step's function, in parts of a table's step."""
    return scaled(x, step.p["multiplier"], step.p["shift"])


def _sigmoid_int16(step: Operands) -> Row:
    function = logistic if step.p["mode"] == UnaryMode.LOGISTIC else tanh
    return function(step.constant("sigmoid_offset", np.uint16), _scaled(step, step.read(step.row)))


def _step_reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """An input row, and the states before it."""
    assert op.input2 is not None
    yield op.input, row
    yield op.input2, row


def _gates(step: Operands, inputs: Int64s, hidden: Int64s, wide: bool) -> Int64s:
    """[units, 4]: what the sums of each gate come to."""
    units = len(hidden)
    weights = step.constant("weights_offset", np.int8).reshape(units, -1)
    of_input, recurrent = np.split(weights, [4 * len(inputs)], axis=1)
    products = [w.reshape(units, 4, -1) @ x for w, x in ((of_input, inputs), (recurrent, hidden))]
    bias = step.int64s("bias_offset") if wide else step.constant("bias_offset", np.int32)
    sums = np.concatenate(products, axis=1) + bias.reshape(units, 8)
    scale = (step.constant("multipliers_offset", np.int32), step.constant("shifts_offset", np.int8))
    both = _sat16(multiply_wide(sums, *scale) if wide else multiply(wrap32(sums), *scale))
    return _sat16(both[:, :4] + both[:, 4:])


def _stepped(step: Operands, cells: Int64s, hidden: Int64s, wide: bool) -> tuple[Int64s, Int64s]:
    """Cells and hidden states after the step."""
    p, table = step.p, step.constant("sigmoid_offset", np.uint16)
    sums = _GATE_MULTIPLIER * _gates(step, step.read(step.row).reshape(-1), hidden, wide)
    forget, add, output = (logistic(table, sums[:, k]) for k in (0, 1, 3))
    kept = _sat16(multiply(forget * cells, p["forget_multiplier"], p["forget_shift"]))
    added = _sat16(multiply(add * tanh(table, sums[:, 2]), p["cell_multiplier"], p["cell_shift"]))
    after = _sat16(kept + added)
    if p["cell_clip"]:
        after = np.clip(after, -p["cell_clip"], p["cell_clip"])
    product = tanh(table, _scaled(step, after)) * output
    made = multiply(product, p["hidden_multiplier"], p["hidden_shift"]) + p["hidden_zero_point"]
    return after, np.clip(made, -(2**15), 2**15 - 1) if wide else np.clip(made, -128, 127)


def _lstm(step: Operands) -> Numbers:
    """States are bytes: cells of two, then hidden states of one."""
    states = step.read_second(step.row).reshape(-1)
    units = len(states) // 3
    cells = states[: 2 * units].astype(np.int8).view("<i2").astype(np.int64)
    after, made = _stepped(step, cells, states[2 * units :], wide=False)
    bytes_of_cells = after.astype("<i2").view(np.int8).astype(np.int64)
    return np.concatenate([bytes_of_cells, made])[None, :]


def _lstm_int16(step: Operands) -> Numbers:
    cells, hidden = np.split(step.read_second(step.row).reshape(-1), 2)
    return np.concatenate(_stepped(step, cells, hidden, wide=True))[None, :]


KNOWN = {
    OpKind.LSTM: Known(_lstm, _step_reads, APART),
    OpKind.LSTM_INT16: Known(_lstm_int16, _step_reads, APART),
    OpKind.SIGMOID_INT16: Known(_sigmoid_int16, rows.same_row, SAME_ROW),
}
