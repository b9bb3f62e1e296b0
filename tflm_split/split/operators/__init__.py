"""How each kind of operator is cut into row steps: one table, one file per family.

To add an operator: write a function `(Graph, Operator) -> tuple[RowOp, ...]` that raises Refusal for what it cannot cut
exactly, and enter it here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.split.operators.binary import split_binary
from tflm_split.split.operators.concatenation import split_concatenation
from tflm_split.split.operators.convolution import split_convolution, split_depthwise
from tflm_split.split.operators.dense import split_dense
from tflm_split.split.operators.mean import split_mean
from tflm_split.split.operators.pad import split_pad
from tflm_split.split.operators.pooling import split_pool
from tflm_split.split.operators.resize import split_resize_nearest
from tflm_split.split.operators.softmax import split_softmax
from tflm_split.split.operators.transpose_conv import split_transpose_conv
from tflm_split.split.operators.unary import UNARY_KINDS, split_unary
from tflm_split.split.row_op import RowOp

Splitter = Callable[[Graph, Operator], tuple[RowOp, ...]]

RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Kinds whose output is its input's bytes: no step at all (`regions.py` turns them into aliases)."""

SPLITTERS: Mapping[str, Splitter] = MappingProxyType(
    {
        "CONV_2D": split_convolution,
        "DEPTHWISE_CONV_2D": split_depthwise,
        "FULLY_CONNECTED": split_dense,
        "AVERAGE_POOL_2D": split_pool,
        "MAX_POOL_2D": split_pool,
        "TRANSPOSE_CONV": split_transpose_conv,
        "RESIZE_NEAREST_NEIGHBOR": split_resize_nearest,
        "MEAN": split_mean,
        "ADD": split_binary,
        "SUB": split_binary,
        "MUL": split_binary,
        "SOFTMAX": split_softmax,
        "CONCATENATION": split_concatenation,
        "PAD": split_pad,
        "PADV2": split_pad,
        **dict.fromkeys(UNARY_KINDS, split_unary),
    }
)


def split_operator(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """The row ops `op` becomes; raises Refusal, with the reason, when it must stay a stock operator."""
    splitter = SPLITTERS.get(op.kind)
    if splitter is None:
        raise Refusal("operator", f"{op.kind} has no row-wise form here")
    return splitter(graph, op)
