"""SPACE_TO_DEPTH and DEPTH_TO_SPACE by rows: bytes change places, nothing is computed."""

from __future__ import annotations

import numpy as np

from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, need, option_int, result
from tflm_split.split.row_op import Placement, Read, RowOp
from tflm_split.split.rows import MappedRow, RowShape, row_shape, shared_axis_is_width

HOW = dict.fromkeys(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), "bytes change places")
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_space_to_depth(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op per row of a block: `block` input pixels at a time become a part of an output pixel's channels."""
    source, target, block = _operands(graph, op)
    _fit(target, source, block)
    read, written = row_shape(source), row_shape(target)
    part = block * read.channels
    seen = RowShape(read.rows, read.columns // block, part)
    columns = np.arange(written.columns, dtype="<u2").tobytes()
    return tuple(
        _picked(op, source, target, seen, RowShape(written.rows, written.columns, part), k, block, columns)
        for k in range(block)
    )


def _picked(
    op: Operator, source: Tensor, target: Tensor, seen: RowShape, written: RowShape, k: int, block: int, columns: bytes
) -> RowOp:
    rows = tuple(range(k, seen.rows, block))
    return RowOp(
        op.index,
        OpKind.RESIZE_NEAREST,
        (Read(source.index, seen, MappedRow(rows)),),
        target.index,
        written,
        {"row_map_offset": np.array(rows, "<u2").tobytes(), "column_map_offset": columns},
        Placement(offset_bytes=k * written.channels),
        block * written.channels,
    )


def split_depth_to_space(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """An output row is a part of each pixel of one input row."""
    source, target, block = _operands(graph, op)
    _fit(source, target, block)
    written = row_shape(target)
    window = MappedRow(tuple(row // block for row in range(written.rows)))
    reads = (Read(source.index, row_shape(source), window),)
    return (RowOp(op.index, OpKind.DEPTH_TO_SPACE, reads, target.index, written, {"block": block}),)


def _operands(graph: Graph, op: Operator) -> tuple[Tensor, Tensor, int]:
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    need(len(source.shape) == len(target.shape) == 4, "rank", "its input or output is not 4-dimensional")
    block = option_int(op, "block_size")
    need(0 < block <= 0xFFFF, "option", f"its block_size is {block}")
    return source, target, block


def _fit(deep: Tensor, wide: Tensor, block: int) -> None:
    """`deep` must have what `wide` has, `block` x `block` pixels in one, and both must be cut along their height."""
    need(not shared_axis_is_width(deep, wide), "geometry", "its rows run along the width")
    _, height, width, channels = deep.shape
    need(
        wide.shape[1:] == (height * block, width * block, channels // block**2) and channels % block**2 == 0,
        "geometry",
        f"blocks of {block} do not make its output of its input",
    )
