"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR by rows: an output row is a copy of one input row, or a mix of two."""

from __future__ import annotations

import numpy as np

from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import POSITIONS_PER_PIXEL
from tflm_split.split.operators.common import activation, constant, need, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import Between, MappedRow, row_shape, shared_axis_is_width

HOW = {
    "RESIZE_NEAREST_NEIGHBOR": "a row is picked from one row",
    "RESIZE_BILINEAR": "a row is mixed of two rows",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_resize_nearest(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int8 RESIZE_NEAREST_NEIGHBOR, which requantises nothing.

    The size operand must be a constant that agrees with the output tensor.
    """
    source, target = _maps(graph, op)
    align, centers = _flag(op, "align_corners"), _flag(op, "half_pixel_centers")
    rows, columns = (nearest(source.shape[axis], target.shape[axis], align, centers) for axis in (1, 2))
    if shared_axis_is_width(source, target):
        rows, columns = columns, rows
    read, written = row_shape(source), row_shape(target)
    params = {
        "row_map_offset": np.array(rows, "<u2").tobytes(),
        "column_map_offset": np.array(columns, "<u2").tobytes(),
    }
    reads = (Read(source.index, read, MappedRow(rows)),)
    return (RowOp(op.index, OpKind.RESIZE_NEAREST, reads, target.index, written, params),)


def split_resize_bilinear(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int8 RESIZE_BILINEAR, in TFLM's steps of 1/1024 of a pixel. Nothing is requantised."""
    source, target = _maps(graph, op)
    align, centers = _flag(op, "align_corners"), _flag(op, "half_pixel_centers")
    need(not (align and centers), "option", "it aligns corners and centers at once, which TFLM refuses")
    rows, columns = (between(source.shape[axis], target.shape[axis], align, centers) for axis in (1, 2))
    if shared_axis_is_width(source, target):
        rows, columns = columns, rows
    params = {
        "row_positions_offset": np.array(rows, "<u4").tobytes(),
        "column_positions_offset": np.array(columns, "<u4").tobytes(),
    }
    reads = (Read(source.index, row_shape(source), _mixed(rows)),)
    return (RowOp(op.index, OpKind.RESIZE_BILINEAR, reads, target.index, row_shape(target), params),)


def resize_reaches(op: Operator, source: Tensor, target: Tensor) -> tuple[MappedRow | Between, MappedRow | Between]:
    """Which input indices each output index needs, along height and along width."""
    align, centers = _flag(op, "align_corners"), _flag(op, "half_pixel_centers")
    sizes = [(source.shape[axis], target.shape[axis], align, centers) for axis in (1, 2)]
    if op.kind == "RESIZE_NEAREST_NEIGHBOR":
        height, width = (MappedRow(nearest(*size)) for size in sizes)
        return height, width
    rows, columns = (_mixed(between(*size)) for size in sizes)
    return rows, columns


def _mixed(positions: tuple[int, ...]) -> Between:
    """Which row each of `positions` (in 1/1024 of a row) needs, and whether it needs the next row, too."""
    return Between(
        tuple(p // POSITIONS_PER_PIXEL for p in positions), tuple(p % POSITIONS_PER_PIXEL > 0 for p in positions)
    )


def _maps(graph: Graph, op: Operator) -> tuple[Tensor, Tensor]:
    """(input, output). Raises Refusal when they do not fit each other or the size operand."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    size = constant(graph, op, 1, "INT32")
    need(len(source.shape) == len(target.shape) == 4, "rank", "its input or output is not 4-dimensional")
    wanted = tuple(np.frombuffer(size.data or b"", "<i4").tolist())
    need(wanted == target.shape[1:3], "geometry", f"its size is {list(wanted)}, its output is {list(target.shape)}")
    need(source.shape[3] == target.shape[3], "geometry", "its input and output disagree on channels")
    return source, target


def between(inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> tuple[int, ...]:
    """Per output index: its position in the input, in 1/1024 of a pixel (ResizeBilinearInteger, resize_bilinear.h).

    Before the first pixel and beyond the last one, TFLM mixes a pixel with itself; this gives the pixel's own position.
    Raises Refusal where rounding makes TFLM read a pixel beyond the last.
    """
    last_to_last = align_corners and outputs > 1
    spans, gaps = inputs - last_to_last, outputs - last_to_last
    scale = (POSITIONS_PER_PIXEL * spans + gaps // 2) // gaps
    positions = []
    for index in range(outputs):
        position = index * scale + (scale // 2 - POSITIONS_PER_PIXEL // 2 if half_pixel_centers else 0)
        need(position < 2**31, "overflow", "its positions leave 32 bits")
        need(position < inputs * POSITIONS_PER_PIXEL, "geometry", "TFLM reads beyond its input")
        positions.append(min(max(position, 0), (inputs - 1) * POSITIONS_PER_PIXEL))
    return tuple(positions)


def nearest(inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> tuple[int, ...]:
    """Per output index: the input index TFLM picks, in float32 as there (GetNearestNeighbor, resize_nearest_neighbor.h)."""
    last_to_last = align_corners and outputs > 1
    scale = np.float32(inputs - last_to_last) / np.float32(outputs - last_to_last)
    offset = np.float32(0.5 if half_pixel_centers else 0.0)
    picked = []
    for index in range(outputs):
        position = (np.float32(index) + offset) * scale
        # Positions are not negative, so halves rounded away from zero are halves rounded up; exact in double.
        whole = np.floor(np.float64(position) + 0.5) if align_corners else np.floor(position)
        picked.append(min(int(whole), inputs - 1))
    return tuple(picked)


def _flag(op: Operator, name: str) -> bool:
    value = op.options.get(name)
    need(isinstance(value, bool), "option", f"its option {name} is {value!r}")
    return bool(value)
