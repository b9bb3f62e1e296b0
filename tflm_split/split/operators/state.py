"""KEEP_STATE: what a network remembers is put where the next inference finds it. No file holds it (`rewrite/states.py`)."""

from __future__ import annotations

from tflm_split.ir.graph import ELEMENT_BYTES, Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, need, result
from tflm_split.split.operators.pad import COPY
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import row_shape

STATES = "states"
"""What rewrote the operators that a state needs (`Operator.rewrite`)."""
KEEP_STATE = "KEEP_STATE"
"""The kind of operator that copies its input into a state."""


def split_keep(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """A copy, row by row. Each row waits for all that still read the old state there (`schedule/step_graph.py`)."""
    source, target = activation(graph, op, 0, *ELEMENT_BYTES), result(graph, op, *ELEMENT_BYTES)
    shape = row_shape(source)
    need(row_shape(target) == shape, "geometry", "its input and output differ in shape")
    return (RowOp(op.index, OpKind.PAD, (Read(source.index, shape),), target.index, shape, COPY),)
