"""Sums over all pixels: each row is added to one accumulator per channel. Used by MEAN and by global average pools."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import constant, need
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RowShape, row_shape


def pixels_reduced(graph: Graph, op: Operator, source: Tensor) -> int:
    """How many pixels a MEAN sums up. Raises Refusal unless it reduces [1, H, W, C] or [1, T, C] to C."""
    rank = len(source.shape)
    given = np.frombuffer(constant(graph, op, 1, "INT32").data or b"", "<i4").tolist()
    need(all(-rank <= a < rank for a in given), "axes", f"it reduces axes {given} of {rank}")
    axes = {int(a) % rank for a in given}
    need(rank in (3, 4) and axes == set(range(1, rank - 1)), "axes", f"it reduces axes {sorted(axes)} of {rank}")
    need(source.shape[0] == 1, "batch", f"batch is {source.shape[0]}, needs 1")
    shape = row_shape(source)
    return shape.rows * shape.columns


def summed_over_pixels(
    op: Operator, kind: OpKind, source: Tensor, target: Tensor, params: Mapping[str, int | float | bytes]
) -> RowOp:
    """The row op that sums a whole map up into one pixel, with accumulators of 4 bytes per channel."""
    shape = row_shape(source)
    need(target.elements == shape.channels, "geometry", "its output does not have one element per channel")
    written = RowShape(1, 1, shape.channels, row_shape(target).element_bytes)
    reads = (Read(source.index, shape),)
    return RowOp(op.index, kind, reads, target.index, written, params, accumulator_bytes=4 * shape.channels)
