"""What does a sequence LSTM of int8 or int16 compute? Written down from TFLM's lstm_eval.h and lstm_eval_common.cc alone."""

from __future__ import annotations

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.verify.fixed_point import Int64s, multiply, multiply_wide, quantize_multiplier, wrap32
from tflm_split.verify.graph_oracle.evaluation import Array, constant_of
from tflm_split.verify.sigmoid import logistic, logistic_table, scaled, tanh

STATES = (18, 19)
"""Hidden and cell state among the operator's inputs."""
_GATES = {"forget": (2, 6, 13), "input": (1, 5, 12), "cell": (3, 7, 14), "output": (4, 8, 15)}
"""Gate -> its weights, its recurrent weights and its bias among the operator's inputs."""
_IN, _OUT = 2.0**-12, 2.0**-15
"""Scales of what a gate's function takes, and of what it gives."""


def sequence_lstm(graph: Graph, op: Operator, source: Array, hidden: Array, cell: Array) -> tuple[Array, Array, Array]:
    """(The output, hidden and cell state afterwards). Raises Refusal for what TFLM does in another way, or not at all."""
    needed = (0, *(k for gate in _GATES.values() for k in gate), *STATES)
    if len(op.inputs) != 24 or any(op.inputs[k] == ABSENT for k in needed):
        raise Refusal("arity", "it lacks a gate or a state")
    held = graph.tensors[op.inputs[19]]
    steps = source.reshape(-1, source.shape[-1]).astype(np.int64)
    if held.dtype != "INT16" or source.dtype not in (np.int8, np.int16) or 1 not in source.shape[:2]:
        raise Refusal("dtype", "it is not of int8 or int16 and batch 1")
    if op.options["fused_activation_function"] != "TANH":
        raise Refusal("activation", "its cell gate has no TANH")
    h, c = hidden.reshape(-1).astype(np.int64), cell.reshape(-1).astype(np.int64)
    made = []
    for x in steps:
        h, c = _step(graph, op, x, h, c)
        made.append(h)
    output = np.stack(made).astype(source.dtype).reshape(graph.tensors[op.outputs[0]].shape)
    return output, h.astype(hidden.dtype).reshape(hidden.shape), c.astype(np.int16).reshape(cell.shape)


def _step(graph: Graph, op: Operator, x: Int64s, h: Int64s, c: Int64s) -> tuple[Int64s, Int64s]:
    hidden, cell = (graph.tensors[op.inputs[k]] for k in STATES)
    cell_scale, clip, table = _scale(cell), float(op.options["cell_clip"]), logistic_table()
    sums = {gate: 3 * _sum(graph, op, gate, x, h) for gate in _GATES}
    forget, add, output = (logistic(table, sums[gate]) for gate in ("forget", "input", "output"))
    kept = _int16(multiply(forget * c, *quantize_multiplier(_OUT * cell_scale / cell_scale)))
    added = _int16(multiply(add * tanh(table, sums["cell"]), *quantize_multiplier(_OUT * _OUT / cell_scale)))
    after = _int16(kept + added)
    if clip > 0:
        most = int(min(clip / cell_scale, 32767.0))
        after = np.clip(after, -most, most)
    left = round(float(np.log2(cell_scale))) + 12
    squashed = tanh(table, scaled(after, 3 << max(left, 0), max(-left, 0)))
    made = multiply(squashed * output, *quantize_multiplier(_OUT * _OUT / _scale(hidden))) + _zero_point(hidden)
    return (np.clip(made, -128, 127) if hidden.dtype == "INT8" else _int16(made)), after


def _sum(graph: Graph, op: Operator, gate: str, x: Int64s, h: Int64s) -> Int64s:
    """The input's product and the recurrent one, each brought to 12 bits behind the point."""
    weights, recurrent, bias = (graph.tensors[op.inputs[k]] for k in _GATES[gate])
    source, hidden = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[18]]
    first = _product(source, weights, x, constant_of(bias).astype(np.int64))
    return _int16(first + _product(hidden, recurrent, h, np.zeros(1, np.int64)))


def _product(made_of: Tensor, weights: Tensor, x: Int64s, bias: Int64s) -> Int64s:
    sums = constant_of(weights).astype(np.int64) @ (x - _zero_point(made_of)) + bias
    scale = quantize_multiplier(_scale(made_of) * _scale(weights) / _IN)
    return _int16(multiply(wrap32(sums), *scale) if made_of.dtype == "INT8" else multiply_wide(sums, *scale))


def _scale(tensor: Tensor) -> float:
    if tensor.quantization is None or len(tensor.quantization.scales) != 1:
        raise Refusal("quantization", f"tensor {tensor.name!r} has no scale")
    return float(np.float32(tensor.quantization.scales[0]))


def _zero_point(tensor: Tensor) -> int:
    return tensor.quantization.zero_points[0] if tensor.quantization and tensor.quantization.zero_points else 0


def _int16(x: Int64s) -> Int64s:
    return np.clip(x, -(2**15), 2**15 - 1)
