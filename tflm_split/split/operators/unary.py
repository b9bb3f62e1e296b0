"""Element-wise functions of one 8-bit input: a table of 256 entries, computed here exactly as TFLM would."""

from __future__ import annotations

import numpy as np

from tflm_split.arithmetic.tables import lut
from tflm_split.ir.graph import Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, need, need_same_shape, per_tensor, result
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import SAME_ROW, RowShape, row_shape

HOW = {
    **dict.fromkeys(
        ("RELU", "RELU6", "ELU", "HARD_SWISH", "ABS", "LEAKY_RELU", "LOGISTIC", "TANH"), "element by element, in place"
    ),
    "RSQRT": "element by element, in place; input zero point -128",
    "QUANTIZE": "element by element, from the type to int8",
    "DEQUANTIZE": "element by element, from the type to float32",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""

UNARY_KINDS = (
    "RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "ELU", "ABS", "RSQRT", "QUANTIZE", "DEQUANTIZE",
)  # fmt: skip

_TYPES = {
    "QUANTIZE": (("INT8", "UINT8", "FLOAT32"), ("INT8", "UINT8")),
    "DEQUANTIZE": (("INT8", "UINT8"), ("FLOAT32",)),
}


def split_unary(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op: a look-up in a table per element, or arithmetic for a QUANTIZE from float32 to int8."""
    sources, targets = _TYPES.get(op.kind, (("INT8",), ("INT8",)))
    source, target = activation(graph, op, 0, *sources), result(graph, op, *targets)
    need_same_shape(source, target)
    from_shape, to_shape = row_shape(source), row_shape(target)
    if source.dtype == "FLOAT32":
        need(target.dtype == "INT8", "dtype", f"it makes {target.dtype} of floats, needs INT8")
        scale, zero_point = per_tensor(target)
        params: Params = {
            "scale": float(np.float32(scale)),
            "zero_point": zero_point,
            "output_min": -128,
            "output_max": 127,
        }
        return (_row_op(op, OpKind.QUANTIZE_FLOAT, source.index, from_shape, target.index, to_shape, params),)
    if source.dtype != "FLOAT32":
        per_tensor(source)
    if target.dtype != "FLOAT32":
        per_tensor(target)
    table = lut(op.kind, source.quantization, target.quantization, op.options, source.dtype, target.dtype)
    return (_row_op(op, OpKind.LUT, source.index, from_shape, target.index, to_shape, {"table_offset": table}),)


def _row_op(
    op: Operator,
    kind: OpKind,
    source: int,
    from_shape: RowShape,
    target: int,
    to_shape: RowShape,
    params: Params,
) -> RowOp:
    same_size = from_shape.element_bytes == to_shape.element_bytes
    reads = (Read(source, from_shape, SAME_ROW, may_be_overwritten=same_size),)
    return RowOp(op.index, kind, reads, target, to_shape, params)
