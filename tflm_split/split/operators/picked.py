"""Operators that only pick elements: an output row is made of elements of one input row, at the same places in every row.

Slices that are no windows, GATHER with constant indices, MIRROR_PAD and many transpositions are of this form.
Nothing is computed, so elements of any type are moved, as bytes.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import numpy.typing as npt

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import constant, need, operand, option_int, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import MAX_COUNT, MappedRow, RowShape, row_shape

HOW = {
    "MIRROR_PAD": "rows, and parts of rows, are picked again",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""

Index = npt.NDArray[np.int64]
"""By element of the output, in order: the element of the input that it is a copy of."""

PICK = "PICK"
"""A kind of operator that no file has: output element i is input element `index[i]`, and the index is operand 1."""
MOVED_TYPES = ("INT8", "UINT8", "INT16", "INT32", "FLOAT32", "BOOL", "INT64")


def pick_rows(op: Operator, source: Tensor, target: Tensor, index: Index) -> RowOp:
    """The row op of an operator that picks elements. Raises Refusal when its rows are no copies of parts of rows."""
    need(source.dtype == target.dtype, "dtype", "its input and output differ in type")
    whole, part = row_shape(source), row_shape(target)
    need(index.size == target.elements, "geometry", "its output does not have an element for each that it picks")
    maps = row_and_column_map(index, whole.columns * whole.channels, part.rows)
    need(maps is not None, "rows", "its rows are not made of parts of its input's rows")
    assert maps is not None
    rows, places = maps
    size = _run_length(places, whole.columns * whole.channels)
    columns = places[::size] // size
    seen = RowShape(whole.rows, whole.columns * whole.channels // size, size * whole.element_bytes)
    written = RowShape(part.rows, len(columns), size * whole.element_bytes)
    need(max(seen.columns, written.columns) <= MAX_COUNT, "geometry", f"its rows have {seen.columns} parts")
    return RowOp(
        op.index,
        OpKind.RESIZE_NEAREST,
        (Read(source.index, seen, MappedRow(tuple(rows.tolist()))),),
        target.index,
        written,
        {"row_map_offset": rows.astype("<u2").tobytes(), "column_map_offset": columns.astype("<u2").tobytes()},
    )


def row_and_column_map(index: Index, row_elements: int, rows: int) -> tuple[Index, Index] | None:
    """(input row of each output row, place in the input row of each place in an output row); None when there are none."""
    by_row = index.reshape(rows, -1)
    input_rows = by_row[:, 0] // row_elements
    places = by_row[0] - input_rows[0] * row_elements
    inside = bool((places >= 0).all() and (places < row_elements).all())
    return (input_rows, places) if inside and (by_row == input_rows[:, None] * row_elements + places).all() else None


def _run_length(places: Index, row_elements: int) -> int:
    """How many elements can always be moved at once: each run of them follows each other, and starts at a multiple."""
    longest = gcd(row_elements, len(places))
    for size in sorted((n for n in range(1, longest + 1) if longest % n == 0), reverse=True):
        runs = places.reshape(-1, size)
        if (runs[:, 0] % size == 0).all() and (runs == runs[:, :1] + np.arange(size)).all():
            return size
    return 1


def element_numbers(shape: tuple[int, ...]) -> Index:
    """The number of each element of a tensor, in the tensor's shape."""
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


def moved(graph: Graph, op: Operator) -> tuple[Tensor, Tensor]:
    """(input, output) of an operator that moves elements of any type. Raises Refusal when its input is a constant."""
    source, target = operand(graph, op, 0), result(graph, op, *MOVED_TYPES)
    need(not source.is_constant and not source.is_variable, "constant", "its input is not an activation")
    return source, target


def split_pick(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a PICK, which `rewrite/moved_elements.py` makes."""
    source, target = moved(graph, op)
    index = np.frombuffer(constant(graph, op, 1, "INT32").data or b"", "<i4").astype(np.int64)
    return (pick_rows(op, source, target, index),)


def split_mirror_pad(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a MIRROR_PAD. With REFLECT the first and the last element of an axis are not repeated."""
    source, target = moved(graph, op)
    amounts = constant(graph, op, 1, "INT32", "INT64")
    pairs = np.frombuffer(amounts.data or b"", "<i4" if amounts.dtype == "INT32" else "<i8").reshape(-1, 2)
    need(len(pairs) == len(source.shape) == len(target.shape), "rank", "its padding does not fit its input")
    mode = op.options.get("mode")
    need(mode in ("REFLECT", "SYMMETRIC"), "option", f"its mode is {mode!r}")
    picked = []
    for size, (before, after) in zip(source.shape, pairs.tolist(), strict=True):
        least = size - (mode == "REFLECT")
        need(0 <= before <= least and 0 <= after <= least, "geometry", "its padding is larger than its input")
        skipped = 1 if mode == "REFLECT" else 0
        front = range(before - 1 + skipped, skipped - 1, -1)
        back = range(size - 1 - skipped, size - 1 - skipped - after, -1)
        picked.append([*front, *range(size), *back])
    need(target.shape == tuple(map(len, picked)), "geometry", "its output shape does not fit its padding")
    return (pick_rows(op, source, target, element_numbers(source.shape)[np.ix_(*picked)].reshape(-1)),)


def gathered(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a GATHER of some indices, which are constants, from an activation."""
    source, target = moved(graph, op)
    indices = constant(graph, op, 1, "INT32")
    rank = len(source.shape)
    axis, batches = option_int(op, "axis", 0), option_int(op, "batch_dims", 0)
    need(
        -rank <= axis < rank and batches == 0, "axes", f"it gathers along axis {axis}, with {batches} batch dimensions"
    )
    wanted = np.frombuffer(indices.data or b"", "<i4").reshape(indices.shape)
    axis %= rank
    inside = bool((wanted >= 0).all() and (wanted < source.shape[axis]).all())
    need(inside, "geometry", "one of its indices lies outside of its input")
    index = np.take(element_numbers(source.shape), wanted, axis)
    need(index.shape == target.shape, "geometry", "its output does not fit its indices")
    return (pick_rows(op, source, target, index.reshape(-1)),)


def transposed(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a TRANSPOSE that moves elements within rows only, of any type and any rank up to 4."""
    source, target = moved(graph, op)
    rank = len(source.shape)
    given = np.frombuffer(constant(graph, op, 1, "INT32").data or b"", "<i4").tolist()
    order = [a + rank if a < 0 else a for a in given]
    if sorted(order) != list(range(rank)):
        raise Refusal("axes", f"its permutation is {given}")
    index = element_numbers(source.shape).transpose(order)
    need(index.shape == target.shape, "geometry", "its output is not its input transposed")
    return (pick_rows(op, source, target, index.reshape(-1)),)
