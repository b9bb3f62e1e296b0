"""LSTM, LSTM_INT16: one step of time of an LSTM. SIGMOID_INT16: the functions of its gates, element by element.

What an LSTM hands on from step to step is a row of a tensor of its own, in front of which lies what the inference before has left:

    states   row 0   cell and hidden state before the first step
             row 1   ... after the first step, made of row 0 and of input row 0
             row 2   ... after the second
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tflm_split.kinds.kind import (
    INT16,
    Case,
    Constant,
    InPlace,
    Kind,
    Reads,
    Row,
    first_fault,
    mode_fault,
    range_fault,
    same_shape_fault,
)
from tflm_split.kinds.limits import CONSTANTS_ALIGNMENT, MAX_SIGMOID_MULTIPLIER, SIGMOID_ENTRIES
from tflm_split.kinds.modes import UnaryMode
from tflm_split.kinds.quantized import INT16_VALUES, SHIFTS, shifts_fault, wide_scaling_fault
from tflm_split.kinds.reads import SAME
from tflm_split.kinds.record import Field, Record

GATES = 4
"""Forget, input, cell, output: the order in which TFLM computes them."""

POSITIVE = (0, 2**31 - 1)
_SIGMOID = (
    Field("sigmoid_offset", "uint32_t", "uint16[SPLIT_SIGMOID_ENTRIES]"),
    Field("multiplier", "int32_t", "", (0, MAX_SIGMOID_MULTIPLIER)),
    Field("shift", "int32_t", "to the right", (0, 31)),
)
SIGMOID_INT16_PARAMS = Record(
    "split_sigmoid_int16_params",
    "SIGMOID_INT16: out = the logistic function or tanh of (x * multiplier) >> shift, rounded, which counts 512 (tanh: 256) to "
    "a step of the table. The result has 15 bits behind the point.",
    (Field("mode", "int32_t", "UnaryMode"), *_SIGMOID),
)
LSTM_PARAMS = Record(
    "split_lstm_params",
    "LSTM: step r makes row r of the output, a row of states, of input row r and of the states in row r of the second "
    "operand. A row of states: int16 cells of all units, then their hidden states. A unit has four gates: forget, input, cell, "
    "output. Gate g = sat16(MBQM(input weights * x + bias)) + sat16(MBQM(recurrent weights * h + bias)), saturated, 12 bits behind "
    "the point; of it the logistic function, of the cell gate tanh. c = sat16(sat16(MBQM(forget * c)) + sat16(MBQM(input * "
    "cell))), limited to +-cell_clip unless that is 0. h = clamp(MBQM(tanh(c) * output) + hidden_zero_point), with `multiplier` "
    "and `shift` for this tanh. LSTM: states are bytes, hidden states int8, biases int32. LSTM_INT16: hidden states are int16, "
    "biases int64 as in CONV_INT16, shifts at most SPLIT_MAX_WIDE_SHIFT.",
    (
        *_SIGMOID,
        Field("forget_multiplier", "int32_t", "", POSITIVE),
        Field("forget_shift", "int32_t", "", SHIFTS),
        Field("cell_multiplier", "int32_t", "", POSITIVE),
        Field("cell_shift", "int32_t", "", SHIFTS),
        Field("hidden_multiplier", "int32_t", "", POSITIVE),
        Field("hidden_shift", "int32_t", "", SHIFTS),
        Field("hidden_zero_point", "int32_t", "", INT16_VALUES),
        Field("cell_clip", "int32_t", "", (0, 2**15 - 1)),
        Field("bias_offset", "uint32_t", "per unit: four of input sums, four of recurrent sums; zero points folded in"),
        Field("multipliers_offset", "uint32_t", "int32[8], Q0.31, >= 0: four of input sums, four of recurrent sums"),
        Field("shifts_offset", "uint32_t", "int8[8], > 0 is left; any alignment"),
        Field("weights_offset", "uint32_t", "int8[units][4 * inputs + 4 * units]; 16-aligned"),
    ),
)


def _sigmoid_fault(case: Case) -> str | None:
    return mode_fault(case, (UnaryMode.LOGISTIC, UnaryMode.TANH)) or same_shape_fault(case)


def _step_rows(case: Case, row: int) -> Iterator[Row]:
    yield Row(0, row)
    yield Row(1, row)


def _lstm_fault(parts: int, values: tuple[int, int]) -> Callable[[Case], str | None]:
    def fault(case: Case) -> str | None:
        read, states, made = case.source, case.second, case.output
        assert states is not None
        if (read.column_count, states.column_count, made.column_count) != (1, 1, 1):
            return "its rows have several columns"
        if made.channel_count % parts or states.channel_count != made.channel_count:
            return f"its states have {states.channel_count} and {made.channel_count} elements for {parts} per unit"
        if read.row_count != made.row_count or states.row_count < made.row_count:
            return f"it makes {made.row_count} states of {read.row_count} inputs and {states.row_count} states"
        return range_fault("hidden_zero_point", case.params["hidden_zero_point"], *values)

    return fault


def _lstm_constants(parts: int, bias_bytes: int) -> tuple[Constant, ...]:
    def units(case: Case) -> int:
        return case.output.channel_count // parts

    return (
        Constant("sigmoid_offset", 2, lambda case: 2 * SIGMOID_ENTRIES),
        Constant("bias_offset", 4, lambda case: 2 * GATES * bias_bytes * units(case)),
        Constant("multipliers_offset", 4, lambda case: 2 * GATES * 4),
        Constant("shifts_offset", 1, lambda case: 2 * GATES),
        Constant(
            "weights_offset",
            CONSTANTS_ALIGNMENT,
            lambda case: units(case) * GATES * (case.source.channel_count + units(case)),
        ),
    )


_STEP = Reads("step", _step_rows)
LSTM = Kind(
    "LSTM",
    LSTM_PARAMS,
    reads=_STEP,
    c_check="lstm",
    c_run="lstm",
    check=_lstm_fault(3, (-128, 127)),
    check_constants=shifts_fault,
    constants=_lstm_constants(3, 4),
    operands=2,
)
LSTM_INT16 = Kind(
    "LSTM_INT16",
    LSTM_PARAMS,
    reads=_STEP,
    c_check="lstm_int16",
    c_run="lstm_int16",
    check=_lstm_fault(2, INT16_VALUES),
    check_constants=lambda case: first_fault(shifts_fault(case), wide_scaling_fault(case)),
    constants=_lstm_constants(2, 8),
    input_bytes=INT16,
    output_bytes=INT16,
    operands=2,
)
SIGMOID_INT16 = Kind(
    "SIGMOID_INT16",
    SIGMOID_INT16_PARAMS,
    reads=SAME,
    c_check="sigmoid_int16",
    c_run="sigmoid_int16",
    check=_sigmoid_fault,
    constants=(Constant("sigmoid_offset", 2, lambda case: 2 * SIGMOID_ENTRIES),),
    input_bytes=INT16,
    output_bytes=INT16,
    in_place=InPlace.SAME_ROW,
)
KINDS = (LSTM, LSTM_INT16, SIGMOID_INT16)
RECORDS = (LSTM_PARAMS, SIGMOID_INT16_PARAMS)
