"""A sequence LSTM as its steps of time (EvalLstm in lstm_eval.h), and what it remembers as states.

    before, before'   the cell and hidden state that the inference before has left
    states            a row of both per step of time, and `before` in front: LSTM_STATES
    output            the hidden states of all rows but the first: a slice
    after, after'     the last row, kept

A row needs the row before it and a row of the input, so that neither the whole input nor the whole output need be there.
"""

from __future__ import annotations

from tflm_split.ir.graph import ABSENT, ELEMENT_BYTES, Graph, Operator, State, Tensor
from tflm_split.rewrite.svdf import Growing
from tflm_split.split.operators.common import need, option_float, option_text
from tflm_split.split.operators.lstm import LSTM_STATES
from tflm_split.split.operators.state import KEEP_STATE

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
WEIGHTS, BIASES = range(1, 9), range(12, 16)
"""Of the operator's inputs (lstm_shared.h)."""
HIDDEN, CELL = 18, 19
_ABSENT = (*range(9, 12), *range(16, 18), *range(20, 24))
"""Peepholes, a projection and layer normalisation, which TFLM does not have."""


def unrolled_lstm(growing: Growing, op: Operator) -> tuple[State, State]:
    """Adds the operators that do what the LSTM `op` does; the states that they need. Raises Refusal for another LSTM."""
    graph = growing.graph
    _check(graph, op)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    hidden, cell = graph.tensors[op.inputs[HIDDEN]], graph.tensors[op.inputs[CELL]]
    units, steps = hidden.elements, source.elements // source.shape[-1]
    name, time = target.name or "lstm", 0 if target.shape[0] == steps else 1
    cells = units * ELEMENT_BYTES[cell.dtype] // ELEMENT_BYTES[hidden.dtype]  # in elements of the hidden state
    rows = [1, 1, cells + units]
    rows[time] = steps + 1
    of_cells, of_hidden = (1, 1, cells), (1, 1, units)
    before = [growing.tensor(hidden, of_cells, f"{name} cell"), growing.tensor(hidden, of_hidden, f"{name} hidden")]
    states = growing.tensor(hidden, tuple(rows), f"{name} states")
    constants = tuple(op.inputs[k] for k in (*WEIGHTS, *BIASES))
    options = {"cell_clip": option_float(op, "cell_clip"), "cell_scale": _scale(cell)}
    growing.add(LSTM_STATES, (op.inputs[0], *before, *constants), states, options)
    first, last = [0, 0, cells], [0, 0, 0]
    first[time], last[time] = 1, steps
    growing.add("SLICE", (states, growing.numbers(*first), growing.numbers(*target.shape)), op.outputs[0])
    kept = []
    for tensor, channel, shape in zip(before, (0, cells), (of_cells, of_hidden), strict=True):
        begin = growing.numbers(*last[:2], channel)
        rest = growing.tensor(hidden, shape, f"{name} rest")
        growing.add("SLICE", (states, begin, growing.numbers(*shape)), rest)
        after = growing.add(KEEP_STATE, (rest,), growing.tensor(hidden, shape, f"{name} kept"))
        kept.append((tensor, after))
    zero = hidden.quantization.zero_points[0] & 0xFF if hidden.quantization and hidden.dtype == "INT8" else 0
    return State(*kept[0], 0), State(*kept[1], zero)


def _check(graph: Graph, op: Operator) -> None:
    present = (0, *WEIGHTS, *BIASES, HIDDEN, CELL)
    need(len(op.inputs) == 24 and all(op.inputs[k] != ABSENT for k in present), "arity", "it lacks a gate or a state")
    need(all(op.inputs[k] == ABSENT for k in _ABSENT), "arity", "it has peepholes, a projection or a normalisation")
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    hidden, cell = graph.tensors[op.inputs[HIDDEN]], graph.tensors[op.inputs[CELL]]
    need(hidden.is_variable and cell.is_variable, "variable", "its states are no variables")
    need(source.dtype == target.dtype == hidden.dtype and source.dtype in ("INT8", "INT16"), "dtype", "it is not int8")
    need(cell.dtype == "INT16", "dtype", "its cell state is not int16")
    need(option_text(op, "fused_activation_function") == "TANH", "activation", "its cell gate has no TANH")
    need(len(source.shape) == len(target.shape) == 3, "geometry", "its input or output is not 3-dimensional")
    need(1 in source.shape[:2], "batch", "its batch is not 1")
    need(source.shape[:2] == target.shape[:2], "geometry", "its input and output differ in time")
    units = target.shape[2]
    need(hidden.elements == cell.elements == units, "geometry", "its states and output differ in size")


def _scale(cell: Tensor) -> float:
    need(cell.quantization is not None and len(cell.quantization.scales) == 1, "quantization", "its cell has no scale")
    assert cell.quantization is not None
    return cell.quantization.scales[0]
