"""LSTM_STATES, the steps of a sequence LSTM (`rewrite/lstm.py`). No file holds it.

Row 0 of its output is copied from the states; each other row is made of the one before it and of a row of the input.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflm_split.arithmetic.fixed_point import quantize_multiplier
from tflm_split.arithmetic.int16 import check_wide_shifts, log2_of_scale, sigmoid_table
from tflm_split.arithmetic.requantize import dense_requantization
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import (
    activation,
    constant,
    need,
    option_float,
    per_tensor,
    result,
    weight_scales,
)
from tflm_split.split.operators.pad import COPY
from tflm_split.split.row_op import Params, Placement, Read, RowOp
from tflm_split.split.rows import RowShape, row_shape

LSTM_STATES = "LSTM_STATES"
GATE_ORDER = (1, 0, 2, 3)
"""The gates as the kernel has them, forget, input, cell, output, among those of the file: input, forget, cell, output."""
_WEIGHTS, _RECURRENT, _BIASES = 3, 7, 11
"""The operator's first input of each sort."""
_GATE_SCALE = 2.0**-12
_FUNCTION_SCALE = 2.0**-15
"""Scales of what goes into a gate's function, and of what comes out (PrepareGateParametersInteger)."""
_TANH_SHIFT = 12
"""A cell state of the scale 2 ** -12 needs no shift (lstm_internal::Tanh)."""


def split_lstm_states(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """Two copies into row 0, and a step per row behind it."""
    source, target = activation(graph, op, 0, "INT8", "INT16"), result(graph, op, "INT8", "INT16")
    cells, hidden = (activation(graph, op, k, target.dtype) for k in (1, 2))
    need(source.dtype == target.dtype, "dtype", "its input and states differ in type")
    units, whole, read = hidden.elements, row_shape(target), row_shape(source)
    steps = RowShape(whole.rows - 1, 1, whole.channels, whole.element_bytes)
    products = 4 * units * (read.channels + units)
    params: Params = {**_unit_fields(op, hidden), **_sums_fields(graph, op, source, hidden)}
    reads = (Read(source.index, read), Read(target.index, whole))
    kind = OpKind.LSTM if target.dtype == "INT8" else OpKind.LSTM_INT16
    return (
        *(_put(op, part, target, at) for part, at in ((cells, 0), (hidden, cells.bytes))),
        RowOp(op.index, kind, reads, target.index, steps, params, Placement(first_row=1), macs_per_step=products),
    )


def _put(op: Operator, part: Tensor, target: Tensor, offset_bytes: int) -> RowOp:
    """A copy of `part` into row 0 of `target`."""
    shape, stride = row_shape(part), row_shape(target).row_bytes
    read, placement = Read(part.index, shape), Placement(0, offset_bytes)
    return RowOp(op.index, OpKind.PAD, (read,), target.index, shape, COPY, placement, stride)


def _unit_fields(op: Operator, hidden: Tensor) -> Params:
    """How gates become states (CreateInterGateMulParams, CreateLstmCellStateInfo)."""
    scale, (hidden_scale, hidden_zero) = option_float(op, "cell_scale"), per_tensor(hidden)
    power, is_power = log2_of_scale(scale)
    need(is_power and -27 <= power <= 0, "quantization", f"its cell's scale of {scale:g} is no power of two below 1")
    left, clip = power + _TANH_SHIFT, option_float(op, "cell_clip", low=0.0)
    quotient = _FUNCTION_SCALE * _FUNCTION_SCALE
    fields: Params = {
        "sigmoid_offset": sigmoid_table(),
        "multiplier": 3 << max(left, 0),
        "shift": max(-left, 0),
        "hidden_zero_point": hidden_zero,
        "cell_clip": int(min(clip / scale, 32767.0)),
    }
    need(clip == 0 or fields["cell_clip"] != 0, "quantization", "its cell clip is below its cell's scale")
    factors = {
        "forget": _FUNCTION_SCALE * scale / scale,
        "cell": quotient / scale,
        "hidden": quotient / hidden_scale,
    }
    for name, factor in factors.items():
        fields[f"{name}_multiplier"], fields[f"{name}_shift"] = quantize_multiplier(factor)
    return fields


def _sums_fields(graph: Graph, op: Operator, source: Tensor, hidden: Tensor) -> Params:
    """The sums of the gates: eight products with matrices, the recurrent ones without a bias."""
    wide = source.dtype == "INT16"
    kernels: list[npt.NDArray[np.int8]] = []
    biases: list[npt.NDArray[np.int64]] = []
    scaling: list[tuple[int, int]] = []
    for first, made_of in ((_WEIGHTS, source), (_RECURRENT, hidden)):
        depth = made_of.shape[-1]
        scale, zero = per_tensor(made_of)
        need(not wide or zero == 0, "quantization", "it is int16 with a zero point")
        for gate in GATE_ORDER:
            weights = constant(graph, op, first + gate, "INT8")
            need(weights.shape == (hidden.elements, depth), "geometry", "its weights do not fit its states")
            scales = weight_scales(weights, hidden.elements, 0)
            need(len(scales) == 1, "quantization", "its weights have a scale per unit")
            (multiplier,), (shift,) = dense_requantization(scale, scales, _GATE_SCALE, hidden.elements)
            kernel = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape)
            bias = _bias(graph, op, gate, hidden.elements, wide) if first == _WEIGHTS else np.int64(0)
            kernels.append(kernel)
            biases.append(bias - zero * kernel.astype(np.int64).sum(axis=1))
            scaling.append((multiplier, shift))
    multipliers, shifts = zip(*scaling, strict=True)
    if wide:
        check_wide_shifts(shifts)
    per_unit = np.stack(biases, axis=1)
    return {
        "weights_offset": np.concatenate(kernels, axis=1).tobytes(),
        "bias_offset": per_unit.astype("<i8").tobytes() if wide else (per_unit & 0xFFFFFFFF).astype("<u4").tobytes(),
        "multipliers_offset": np.array(multipliers, "<i4").tobytes(),
        "shifts_offset": np.array(shifts, np.int8).tobytes(),
    }


def _bias(graph: Graph, op: Operator, gate: int, units: int, wide: bool) -> npt.NDArray[np.int64]:
    tensor = constant(graph, op, _BIASES + gate, "INT64" if wide else "INT32")
    need(tensor.elements == units, "geometry", "its biases do not fit its states")
    return np.frombuffer(tensor.data or b"", "<i8" if wide else "<i4").astype(np.int64)
