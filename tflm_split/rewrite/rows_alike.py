"""Let operators behind a RESHAPE work on the rows in which its input is made.

A detection head reshapes a map to boxes and joins those of several maps:

    CONV_2D [1, 8, 8, 12] -> RESHAPE [1, 192, 4] -> CONCATENATION [1, 240, 4] -> LOGISTIC
    CONV_2D [1, 4, 4, 12] -> RESHAPE [1, 48, 4] ---'

The maps are cut into rows of 96 and 48 elements, the boxes into rows of 4. Nothing but their shapes is wrong, so they get other
ones: the CONCATENATION is one of [1, 20, 48], and the LOGISTIC one of [1, 20, 12, 4]. Where rows are longer or shorter than
all that fits, a RECUT copies them into rows that do. This is exact: the bytes of every tensor stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd, prod

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, ELEMENT_BYTES, Graph, Operator, Tensor
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators import is_reshape, split_operator
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.dense import is_dense
from tflm_split.split.operators.recut import RECUT
from tflm_split.split.operators.slices import SLICES, Taken, sliced_input, slices_taken
from tflm_split.split.operators.unary import UNARY_KINDS
from tflm_split.split.rows import row_shape

ROWS_ALIKE = "rows_alike"
SHORTEST = 8
"""Operands that have no longer rows in common are copied instead."""

Shape = tuple[int, ...]
_PER_ELEMENT = frozenset((*UNARY_KINDS, *BINARY_KINDS, BYTE_FUNCTION))
_PER_PIXEL = _PER_ELEMENT | {"SOFTMAX"}


def rows_alike(site: Site) -> Patch | None:
    """The patch at an operator that reads a reshaped tensor in other rows than those in which it is made."""
    op = site.op
    if is_reshape(op) or len(op.outputs) == 0:
        return None
    misfits = [t for t in dict.fromkeys(op.inputs) if t != ABSENT and _misfits(site, t)]
    if not misfits or not _is_split(site.graph, op):
        return None
    if op.kind in _PER_PIXEL:
        patch = _per_pixel(site)
    elif op.kind == "CONCATENATION":
        patch = _joined(site)
    elif op.kind in SLICES:
        patch = _sliced(site)
    else:
        patch = None
    return patch or _recut(site, misfits)


# Rows.


def _elements_of_row(tensor: Tensor) -> int | None:
    """None where it has no rows."""
    try:
        shape = row_shape(tensor)
    except Refusal:
        return None
    return shape.columns * shape.channels


def _cut(site: Site, tensor: int) -> int | None:
    """The elements of each row in which a tensor is made, or read as it was made; None where it may be cut anyhow."""
    made = site.made_as(tensor)
    if site.graph.tensors[made].is_constant or site.graph.tensors[made].is_variable:
        return None
    maker = site.maker(made)
    readers = (site.graph.operators[k] for k in site.consumers.get(made, ()))
    cutters = readers if maker is None or not _is_split(site.graph, maker) else iter((maker,))
    fixed = any(not is_reshape(op) and _is_split(site.graph, op) for op in cutters)
    return _elements_of_row(site.graph.tensors[made]) if fixed else None


def _misfits(site: Site, tensor: int) -> bool:
    """Whether a tensor is a reshaped one whose rows are not those in which it is made."""
    made = site.made_as(tensor)
    if made == tensor:
        return False
    given, wanted = (_elements_of_row(site.graph.tensors[t]) for t in (made, tensor))
    return None not in (given, wanted) and given != wanted and _cut(site, tensor) is not None


def _is_split(graph: Graph, op: Operator) -> bool:
    try:
        slices_taken(graph, op) if op.kind in SLICES else split_operator(graph, op)
    except Refusal:
        return False
    return True


def _seen(site: Site, patch: Patch, tensor: int, shape: Shape) -> int:
    """`tensor` in another shape: one that it had before it was reshaped, or a RESHAPE of it."""
    while patch.tensors[tensor].shape != shape:
        maker = site.maker(tensor)
        if maker is None or not is_reshape(maker):
            return patch.reshape(tensor, shape)
        tensor = maker.inputs[0]
    return tensor


def _in_rows(site: Site, patch: Patch, tensor: int, shape: Shape) -> int:
    """`tensor` in another shape; a copy, where it is made in other rows."""
    cut = _cut(site, tensor)
    if cut is None or cut == _elements_of_row(replace(patch.tensors[tensor], shape=shape)):
        return _seen(site, patch, tensor, shape)
    made = site.made_as(tensor)
    return patch.add(RECUT, (made,), patch.tensor(patch.tensors[made], shape), {"first": 0})


def _as_map(elements: int, size: int, channels: int) -> Shape | None:
    """So many elements as a map with rows of `size`; None where its rows would be others."""
    rows, columns = elements // size, size // channels
    if size % channels or elements % size or (rows == 1 and columns > 1):
        return None
    return (1, rows, columns, channels)


# Operators.


def _recut(site: Site, misfits: Sequence[int]) -> Patch | None:
    """Copies of what does not fit. What a FULLY_CONNECTED takes in whole fits anyhow."""
    try:
        row_ops = split_operator(site.graph, site.op)
    except Refusal:
        return None
    if any(is_dense(row_op) for row_op in row_ops):
        return None
    patch = Patch(ROWS_ALIKE, site.graph, (site.op,))
    copies = {t: _in_rows(site, patch, t, site.graph.tensors[t].shape) for t in misfits}
    patch.again(site.op, [copies.get(t, t) for t in site.op.inputs])
    return patch


def _per_pixel(site: Site) -> Patch | None:
    """The operator on a map with the rows of its operand, or the shortest of its operands."""
    graph, op = site.graph, site.op
    target = graph.tensors[op.outputs[0]]
    whole = [t for t in op.inputs if t != ABSENT and graph.tensors[t].shape == target.shape]
    cuts = [cut for t in whole if (cut := _cut(site, t)) is not None]
    if not cuts or len(op.outputs) != 1 or not target.shape:
        return None
    channels, size = target.shape[-1], min(cuts)
    shape = _as_map(target.elements, size, channels)
    if shape is None and op.kind in _PER_ELEMENT and len(whole) == len(op.inputs):
        shape = _as_map(target.elements, size, size)
    if shape is None:
        return None
    patch = Patch(ROWS_ALIKE, graph, (op,))
    inputs: list[int] = []
    for t in op.inputs:
        operand = graph.tensors[t]
        if operand.is_constant:
            seen = _constant(patch, operand, target.shape, shape)
        elif t in whole:
            seen = _in_rows(site, patch, t, shape)
        else:
            broadcast = _broadcast(operand.shape, target.shape, shape)
            seen = None if broadcast is None else _in_rows(site, patch, t, broadcast)
        if seen is None:
            return None
        inputs.append(seen)
    made = patch.copy(op, inputs, patch.tensor(target, shape))
    patch.reshape(made, target.shape, target.index)
    return patch


def _broadcast(operand: Shape, target: Shape, shape: Shape) -> Shape | None:
    """The shape of an operand that is broadcast to `target`, once `target` is seen as `shape`; None if there is none."""
    if len(operand) > len(target):
        return None
    padded = (1,) * (len(target) - len(operand)) + operand
    if prod(padded) == 1:
        return (1, 1, 1, 1)
    if padded[:-1] == target[:-1] and padded[-1] == 1:
        return (*shape[:3], 1)
    if prod(padded[:-1]) == 1 and padded[-1] == shape[-1]:
        return (1, 1, 1, shape[-1])
    return None


def _constant(patch: Patch, constant: Tensor, target: Shape, shape: Shape) -> int | None:
    """A constant operand: in the new shape, or as often side by side as a new row holds it."""
    if constant.elements == 1:
        return constant.index
    if constant.shape == target:
        return patch.reshape(constant.index, shape)
    broadcast = _broadcast(constant.shape, target, shape)
    if broadcast is not None:
        return patch.reshape(constant.index, broadcast)
    inner = tuple(constant.shape)
    while inner[:1] == (1,):
        inner = inner[1:]
    row, width = shape[2] * shape[3], ELEMENT_BYTES.get(constant.dtype)
    if inner != target[len(target) - len(inner) :] or row % constant.elements or width is None:
        return None
    values = np.frombuffer(constant.data or b"", f"V{width}")
    return patch.constant(constant, np.tile(values, row // constant.elements).reshape(1, 1, *shape[2:]))


def _joined(site: Site) -> Patch | None:
    """Operands one behind the other, in the longest rows that all of them consist of; or pixels of several operands."""
    graph, op = site.graph, site.op
    target, axis = graph.tensors[op.outputs[0]], op.options.get("axis")
    rank = len(target.shape)
    if not isinstance(axis, int) or not -rank <= axis < rank or len(graph.tensors[op.inputs[0]].shape) != rank:
        return None
    axis %= rank
    patch = Patch(ROWS_ALIKE, graph, (op,))
    if prod(target.shape[:axis]) == 1:
        size = _common_row(site, axis == rank - 1)
        if size is None:
            return None
        shapes: list[Shape] = [(1, graph.tensors[t].elements // size, size) for t in op.inputs]
        whole: Shape = (1, target.elements // size, size)
        along = 1
    elif axis == rank - 1:
        columns = {cut / graph.tensors[t].shape[-1] for t in op.inputs if (cut := _cut(site, t)) is not None}
        count = int(min(columns))
        maps = [_as_map(v.elements, count * v.shape[-1], v.shape[-1]) for v in (graph.tensors[t] for t in op.inputs)]
        joined = _as_map(target.elements, count * target.shape[-1], target.shape[-1])
        if count < 1 or joined is None:
            return None
        shapes, whole, along = [m for m in maps if m is not None], joined, 3
        if len(shapes) < len(maps):
            return None
    else:
        return None
    inputs = [_in_rows(site, patch, t, shape) for t, shape in zip(op.inputs, shapes, strict=True)]
    made = patch.copy(op, inputs, patch.tensor(target, whole), {"axis": along})
    patch.reshape(made, target.shape, target.index)
    return patch


def _common_row(site: Site, of_one_row: bool) -> int | None:
    """Elements of the rows of a joint: the most that all rows of its operands consist of.

    Not fewer than the rows of the output, unless that is `of_one_row`; None where the rows would be too short.
    """
    tensors = site.graph.tensors
    size = gcd(*(_cut(site, t) or tensors[t].elements for t in site.op.inputs))
    size = gcd(size, *(tensors[t].elements for t in site.op.inputs))
    if of_one_row:
        return size if size >= SHORTEST else None
    wanted = _elements_of_row(tensors[site.op.outputs[0]])
    return size if wanted is not None and size % wanted == 0 else wanted


def _sliced(site: Site) -> Patch | None:
    """The same slices of a map with the rows of the operand: some channels of each pixel, or some rows."""
    graph, op = site.graph, site.op
    source = graph.tensors[sliced_input(op)]
    size = _cut(site, source.index)
    if size is None or not source.shape:
        return None
    patch = Patch(ROWS_ALIKE, graph, (op,))
    for t, taken in zip(op.outputs, slices_taken(graph, op), strict=True):
        target = graph.tensors[t]
        if not _one_slice(site, patch, source, target, taken, size):
            return None
    return patch


def _one_slice(site: Site, patch: Patch, source: Tensor, target: Tensor, taken: Taken, size: int) -> bool:
    """Add one slice; False where that cannot be done."""
    part = taken[-1]
    begin: Shape
    extent: Shape
    shape = _as_map(source.elements, size, source.shape[-1])
    if part.step == 1 and prod(map(len, taken[:-1])) == prod(source.shape[:-1]) and shape is not None:
        seen = _seen(site, patch, source.index, shape)
        begin, extent = (0, 0, 0, part.start), (*shape[:3], len(part))
    else:
        numbers = np.ravel_multi_index(np.ix_(*taken), source.shape).reshape(-1)
        first, count = int(numbers[0]), len(numbers)
        if count < 1 or int(numbers[-1]) - first != count - 1 or (np.diff(numbers) != 1).any():
            return False
        if first % size or count % size:
            patch.add(RECUT, (site.made_as(source.index),), target.index, {"first": first})
            return True
        seen = _seen(site, patch, source.index, (1, source.elements // size, size))
        begin, extent = (0, first // size, 0), (1, count // size, size)
    made = patch.add("SLICE", (seen, patch.numbers(begin), patch.numbers(extent)), patch.tensor(target, extent))
    patch.reshape(made, target.shape, target.index)
    return True
