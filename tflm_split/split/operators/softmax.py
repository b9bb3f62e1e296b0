"""SOFTMAX along the channels: each row on its own."""

from __future__ import annotations

from tflm_split.arithmetic.softmax import check_softmax_output, softmax_parameters
from tflm_split.ir.graph import Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import MAX_SOFTMAX_CHANNELS
from tflm_split.split.operators.common import activation, need, need_same_shape, option_float, per_tensor, result
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import row_shape

HOW = {
    "SOFTMAX": "pixel by pixel, in place",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_softmax(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int8 SOFTMAX, with the output quantisation TFLM needs: scale 1/256, zero point -128."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    check_softmax_output(target.quantization)
    beta = option_float(op, "beta")
    need_same_shape(source, target)
    shape = row_shape(source)
    most = MAX_SOFTMAX_CHANNELS
    need(
        shape.channels <= most,
        "overflow",
        f"it has {shape.channels} channels, and the exponentials of more than {most} could overflow their sum",
    )
    exps, exp_count = softmax_parameters(per_tensor(source)[0], beta)
    params: Params = {"exps_offset": exps, "exp_count": exp_count}
    reads = (Read(source.index, shape, may_be_overwritten=True),)
    return (RowOp(op.index, OpKind.SOFTMAX, reads, target.index, shape, params),)
