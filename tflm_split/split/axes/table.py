"""Operator kind -> which axis of its output follows which axis of its operands? Kinds without an entry are unknown.

To add a kind, write a function `(Graph, Operator, position of the output) -> Loops` that raises Refusal where it does not
know. Enter it here, and enter an example of it in `tests/test_axes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.split.axes import moved, sums, windows
from tflm_split.split.axes.elementwise import along_channels, elementwise
from tflm_split.split.axes.loops import Loops, unknown
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.filled import FILLED
from tflm_split.split.operators.lstm import LSTM_STATES
from tflm_split.split.operators.picked import PICK
from tflm_split.split.operators.recut import RECUT
from tflm_split.split.operators.state import KEEP_STATE
from tflm_split.split.operators.stream import EMIT_ROWS, FETCH_ROWS
from tflm_split.split.operators.svdf import SVDF_FEATURE, SVDF_TIME
from tflm_split.split.operators.tall_convolution import TALL_CONV
from tflm_split.split.operators.unary import UNARY_KINDS

Rule = Callable[[Graph, Operator, int], Loops]

AXES: Mapping[str, Rule] = MappingProxyType(
    {
        **dict.fromkeys((*UNARY_KINDS, *BINARY_KINDS, BYTE_FUNCTION), elementwise),
        "SOFTMAX": along_channels,
        "CONV_2D": windows.convolution,
        TALL_CONV: windows.convolution,
        "DEPTHWISE_CONV_2D": windows.depthwise,
        "TRANSPOSE_CONV": windows.transposed_convolution,
        **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), windows.pool),
        **dict.fromkeys(("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"), windows.resize),
        "FULLY_CONNECTED": sums.fully_connected,
        "BATCH_MATMUL": sums.matrix_product,
        **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX"), sums.reduced),
        **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), moved.reshape),
        "TRANSPOSE": moved.transpose,
        "CONCATENATION": moved.concatenation,
        "PACK": moved.pack,
        **dict.fromkeys(("STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V", "UNPACK"), moved.sliced),
        **dict.fromkeys(("PAD", "PADV2"), moved.pad),
        "SPACE_TO_DEPTH": moved.space_to_depth,
        "DEPTH_TO_SPACE": moved.depth_to_space,
        "GATHER": moved.gather,
        FETCH_ROWS: moved.fetched,
        EMIT_ROWS: moved.fetched,
        **dict.fromkeys(
            (FILLED, PICK, RECUT, "MIRROR_PAD", KEEP_STATE, LSTM_STATES, SVDF_FEATURE, SVDF_TIME), moved.picked
        ),
    }
)


def loops_of(graph: Graph, op: Operator, output: int = 0) -> Loops:
    """How the axes of output `output` of `op` follow those of its operands; `unknown` where the table has no answer."""
    rule = AXES.get(op.kind)
    target = graph.tensors[op.outputs[output]]
    if rule is None:
        return unknown(len(target.shape))
    try:
        return rule(graph, op, output)
    except Refusal:
        return unknown(len(target.shape))
