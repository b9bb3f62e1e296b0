"""How is each kind of operator cut into row steps? One table of splitters, one file per family of operators.

To add an operator, write a function `(Graph, Operator) -> tuple[RowOp, ...]` and enter it here. It raises Refusal for all
that it cannot cut exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.split.operators.batch_matmul import split_batch_matmul
from tflm_split.split.operators.binary import BINARY_KINDS, split_binary
from tflm_split.split.operators.blocks import split_depth_to_space, split_space_to_depth
from tflm_split.split.operators.byte_function import BYTE_FUNCTION, split_byte_function
from tflm_split.split.operators.common import Splitter
from tflm_split.split.operators.concatenation import split_concatenation, split_pack
from tflm_split.split.operators.convolution import split_convolution, split_depthwise
from tflm_split.split.operators.copied_slices import split_slice
from tflm_split.split.operators.dense import split_dense
from tflm_split.split.operators.filled import FILLED, split_filled
from tflm_split.split.operators.float32 import FLOAT_SPLITTERS
from tflm_split.split.operators.gather import split_gather
from tflm_split.split.operators.int16 import INT16_SPLITTERS
from tflm_split.split.operators.lstm import LSTM_STATES, split_lstm_states
from tflm_split.split.operators.mean import split_mean
from tflm_split.split.operators.pad import split_pad
from tflm_split.split.operators.picked import PICK, split_mirror_pad, split_pick
from tflm_split.split.operators.pooling import split_pool
from tflm_split.split.operators.recut import RECUT, split_recut
from tflm_split.split.operators.resize import split_resize_bilinear, split_resize_nearest
from tflm_split.split.operators.slices import SLICES
from tflm_split.split.operators.softmax import split_softmax
from tflm_split.split.operators.state import KEEP_STATE, split_keep
from tflm_split.split.operators.stock import stock_reason
from tflm_split.split.operators.stream import EMIT_ROWS, FETCH_ROWS, split_emit, split_fetch
from tflm_split.split.operators.svdf import SVDF_FEATURE, SVDF_TIME, split_feature, split_time
from tflm_split.split.operators.tall_convolution import TALL_CONV, split_tall_convolution
from tflm_split.split.operators.transpose import split_transpose
from tflm_split.split.operators.transpose_conv import split_transpose_conv
from tflm_split.split.operators.unary import UNARY_KINDS, split_unary
from tflm_split.split.row_op import RowOp

RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Kinds whose output is their input's bytes. They need no step: `regions.py` turns them into aliases."""
HOW = dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), "its output is its input's bytes")
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def is_reshape(op: Operator) -> bool:
    """Whether the output is the input's bytes. That includes a PACK of one tensor and an UNPACK into one."""
    alone = (op.kind == "PACK" and len(op.inputs) == 1) or (op.kind == "UNPACK" and len(op.outputs) == 1)
    return op.kind in RESHAPES or alone


SPLITTERS: Mapping[str, Splitter] = MappingProxyType(
    {
        "CONV_2D": split_convolution,
        TALL_CONV: split_tall_convolution,
        "DEPTHWISE_CONV_2D": split_depthwise,
        "FULLY_CONNECTED": split_dense,
        "AVERAGE_POOL_2D": split_pool,
        "MAX_POOL_2D": split_pool,
        "TRANSPOSE_CONV": split_transpose_conv,
        "RESIZE_NEAREST_NEIGHBOR": split_resize_nearest,
        "RESIZE_BILINEAR": split_resize_bilinear,
        "MEAN": split_mean,
        "SUM": split_mean,
        "REDUCE_MAX": split_mean,
        "SOFTMAX": split_softmax,
        "GATHER": split_gather,
        "BATCH_MATMUL": split_batch_matmul,
        "TRANSPOSE": split_transpose,
        "MIRROR_PAD": split_mirror_pad,
        PICK: split_pick,
        RECUT: split_recut,
        FILLED: split_filled,
        BYTE_FUNCTION: split_byte_function,
        FETCH_ROWS: split_fetch,
        EMIT_ROWS: split_emit,
        KEEP_STATE: split_keep,
        LSTM_STATES: split_lstm_states,
        SVDF_FEATURE: split_feature,
        SVDF_TIME: split_time,
        "CONCATENATION": split_concatenation,
        "PACK": split_pack,
        "SPACE_TO_DEPTH": split_space_to_depth,
        "DEPTH_TO_SPACE": split_depth_to_space,
        "PAD": split_pad,
        "PADV2": split_pad,
        **dict.fromkeys(BINARY_KINDS, split_binary),
        **dict.fromkeys(UNARY_KINDS, split_unary),
        **dict.fromkeys(sorted(SLICES), split_slice),
    }
)


def typed_splitters(graph: Graph, op: Operator) -> Mapping[str, Splitter]:
    """The splitters for the operator's element type: those of int16, of float32, or none for all other types."""
    touched = [t for t in (*op.inputs[:1], *op.outputs[:1]) if t >= 0]
    dtypes = {graph.tensors[t].dtype for t in touched}
    if "INT16" in dtypes:
        return INT16_SPLITTERS
    return FLOAT_SPLITTERS if dtypes == {"FLOAT32"} else {}


def split_operator(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """The row ops `op` becomes; raises Refusal, with the reason, when it must stay a stock operator."""
    splitter = typed_splitters(graph, op).get(op.kind) or SPLITTERS.get(op.kind)
    if splitter is None:
        raise Refusal("operator", stock_reason(op.kind))
    row_ops = splitter(graph, op)
    _check_sizes(graph, row_ops)
    for row_op in row_ops:
        if fault := row_op.fault():
            raise Refusal("geometry", fault)
    return row_ops


def _check_sizes(graph: Graph, row_ops: tuple[RowOp, ...]) -> None:
    """Refuse row ops that do not write their outputs wholly or do not see their inputs wholly.

    This is a safety net under the splitters' own checks.
    """
    written: dict[int, int] = {}
    for op in row_ops:
        if op.sums != op.output:  # else it adds to what another one has written
            written[op.output] = written.get(op.output, 0) + op.output_shape.bytes
        if any(read.shape.bytes != graph.tensors[read.tensor].bytes for read in op.reads):
            raise Refusal("geometry", "it reads another number of bytes than its input has")
    if any(nbytes != graph.tensors[t].bytes for t, nbytes in written.items()):
        raise Refusal("geometry", "it makes another number of bytes than its output has")
