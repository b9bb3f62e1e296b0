"""Slices that cannot be windows are copied: an output row is picked from one input row.

Two reasons forbid a window: a step other than 1, and a reader that needs the slice as a tensor of its own (a stock
operator, TFLM, a reshape).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd, prod

import numpy as np

from tflm_split.ir.graph import ELEMENT_BYTES, Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import need
from tflm_split.split.operators.slices import Taken, is_pixel, slice_source, slices_taken
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import MAX_COUNT, MappedRow, RowShape, row_shape, rows_run_along_width

HOW = dict.fromkeys(
    ("SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "UNPACK"),
    "a window onto its input for steps of 1, else copied row by row",
)
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_slice(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op per output of STRIDED_SLICE, SLICE, SPLIT, SPLIT_V or UNPACK."""
    source = slice_source(graph, op)
    need(source.dtype in ELEMENT_BYTES, "dtype", f"its input is {source.dtype}")
    slices = slices_taken(graph, op)
    return tuple(_copy(op, source, graph.tensors[t], taken) for t, taken in zip(op.outputs, slices, strict=True))


def _copy(op: Operator, source: Tensor, target: Tensor, taken: Taken) -> RowOp:
    part_of = replace(target, shape=tuple(map(len, taken)))
    whole, part = row_shape(source), row_shape(part_of)
    need(row_shape(target).row_bytes == part.row_bytes, "rows", "its output is cut along another axis than its input")
    if len(taken) == 4:
        along_width = rows_run_along_width(source)
        need(
            along_width == rows_run_along_width(part_of) or is_pixel(part_of),
            "geometry",
            "its input and output are cut along different axes",
        )
        rows, columns = (taken[2], taken[1]) if along_width else (taken[1], taken[2])
        picked_rows: Sequence[int] = rows
    else:
        outer = source.shape[:-1]
        picked_rows = np.arange(prod(outer)).reshape(outer)[np.ix_(*taken[:-1])].reshape(-1).tolist()
        columns = range(1)
    channels = taken[-1] if taken else range(1)
    # Move as many channels at once as follow each other in input and output: these are the pixels of the copy, as bytes.
    group = gcd(channels.start, len(channels), whole.channels) if channels.step == 1 else 1
    per_column = whole.channels // group
    picked = [column * per_column + channel // group for column in columns for channel in channels[::group]]
    seen = RowShape(whole.rows, whole.columns * per_column, group * whole.element_bytes)
    written = RowShape(part.rows, len(picked), group * whole.element_bytes)
    need(max(seen.columns, written.columns) <= MAX_COUNT, "geometry", f"its rows have {seen.columns} parts")
    return RowOp(
        op.index,
        OpKind.RESIZE_NEAREST,
        (Read(source.index, seen, MappedRow(tuple(picked_rows))),),
        target.index,
        written,
        {
            "row_map_offset": np.array(picked_rows, "<u2").tobytes(),
            "column_map_offset": np.array(picked, "<u2").tobytes(),
        },
    )
