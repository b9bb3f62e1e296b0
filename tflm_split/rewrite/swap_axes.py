"""What if height and width changed places before a window that spans the whole height?

Such a window makes a map of one row of all columns: its output can only be cut along columns, while its input is cut along
rows. With the axes swapped both are cut the same way, and nothing needs to be whole but the input itself:

    before   input -> CONV_2D -> window of the whole height -> [1, 1, W, C]
    after    input -> TRANSPOSE -> CONV_2D turned -> window of the whole width -> [1, W, 1, C] -> RESHAPE

This is exact for whole numbers: each output sums the same products. It is one of several ways to split a graph, for the
TRANSPOSE needs the whole input until the last row is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Option, Tensor
from tflm_split.rewrite.patch import Accept, Patch, Site, rewritten
from tflm_split.rewrite.reductions import reductions
from tflm_split.split.operators import split_operator
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.unary import UNARY_KINDS

SWAP_AXES = "swap_axes"
TURNED = (0, 2, 1, 3)

_WINDOWS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})
_ELEMENT_WISE = frozenset((*UNARY_KINDS, *BINARY_KINDS, BYTE_FUNCTION))
_REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"})
_INTEGERS = frozenset({"INT8", "INT16"})


def may_swap_axes(graph: Graph) -> bool:
    """Whether there is a window of the whole height that cannot be cut as it is."""
    return any(_collapses(graph, op) for op in graph.operators)


def swapped_axes(graph: Graph, accept: Accept) -> Graph:
    """`graph` with the axes swapped before each window of the whole height; the same graph where there is none."""
    while True:
        patch = next((p for op in graph.operators if _collapses(graph, op) and (p := _swapped(graph, op))), None)
        if patch is None:
            return graph
        changed = rewritten(patch.applied(), reductions, accept)
        new = [op for op in changed.operators if op.rewrite == SWAP_AXES]
        if not all(accept(changed, op) for op in new):
            return graph
        graph = changed


def _collapses(graph: Graph, op: Operator) -> bool:
    """Whether an operator cannot be cut because its output has one row of several columns, and its input many rows."""
    if op.kind not in _WINDOWS | _REDUCTIONS:
        return False
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if len(source.shape) != 4 or source.shape[0] != 1 or source.dtype not in _INTEGERS:
        return False
    columns = source.shape[2] if op.kind in _REDUCTIONS else target.shape[2]
    kept = target.elements // target.shape[-1]
    if source.shape[1] == 1 or columns == 1 or kept not in (source.shape[2], columns):
        return False
    if op.kind in _REDUCTIONS:
        return _reduced(graph, op) == {1}
    try:
        split_operator(graph, op)
    except Refusal as refusal:
        return refusal.kind == "geometry" and target.shape[1] == 1
    return False


def _reduced(graph: Graph, op: Operator) -> set[int]:
    numbers = graph.tensors[op.inputs[1]]
    if numbers.data is None or numbers.dtype != "INT32":
        return set()
    rank = len(graph.tensors[op.inputs[0]].shape)
    return {int(a) % rank for a in np.frombuffer(numbers.data, "<i4")}


def _swapped(graph: Graph, last: Operator) -> Patch | None:
    """The patch that turns `last` and all that it is made of; None when something of that cannot be turned."""
    site = Site(graph, last, graph.producers(), graph.consumers())
    inside: dict[int, Operator] = {last.index: last}
    todo = [last]
    while todo:
        for t in _maps(graph, todo.pop()):
            maker = site.maker(t)
            if maker is not None and _can_turn(graph, maker) and maker.index not in inside:
                inside[maker.index] = maker
                todo.append(maker)
    inside = _closed(site, inside, last)
    patch = Patch(SWAP_AXES, graph, list(inside.values()))
    turned: dict[int, int] = {}
    for op in sorted(inside.values(), key=lambda op: op.index):
        for t in _maps(graph, op):
            if t not in turned:
                value = graph.tensors[t]
                shape = tuple(value.shape[a] for a in TURNED)
                if 1 in value.shape[1:3]:
                    turned[t] = patch.reshape(t, shape)
                else:
                    turned[t] = patch.add("TRANSPOSE", (t, patch.numbers(TURNED)), patch.tensor(value, shape))
        _turn(patch, op, turned)
    target = graph.tensors[last.outputs[0]]
    patch.reshape(turned[last.outputs[0]], target.shape, target.index)
    return patch


def _closed(site: Site, inside: dict[int, Operator], last: Operator) -> dict[int, Operator]:
    """`inside` without operators whose output somebody outside reads, and without those that only these needed."""
    while True:
        kept = {
            k: op
            for k, op in inside.items()
            if op is last
            or all(t not in site.graph.outputs and set(site.consumers.get(t, ())) <= inside.keys() for t in op.outputs)
        }
        if len(kept) == len(inside):
            return kept
        inside = kept


def _maps(graph: Graph, op: Operator) -> list[int]:
    """The activations that `op` reads, as maps."""
    return [t for t in op.inputs if t >= 0 and not graph.tensors[t].is_constant]


def _can_turn(graph: Graph, op: Operator) -> bool:
    if op.kind not in _WINDOWS | _ELEMENT_WISE or len(op.outputs) != 1:
        return False
    target = graph.tensors[op.outputs[0]]
    if len(target.shape) != 4 or target.shape[0] != 1 or target.dtype not in _INTEGERS:
        return False
    values = [graph.tensors[t] for t in op.inputs if t >= 0]
    if op.kind in _WINDOWS:
        return graph.tensors[op.inputs[0]].dtype in _INTEGERS
    return all(_turns_with(value, target) for value in values)


def _turns_with(value: Tensor, target: Tensor) -> bool:
    """Whether an operand is a map like the output, or a constant that is the same for all pixels."""
    if value.is_constant:
        return value.elements in (1, value.shape[-1] if value.shape else 1)
    return value.shape == target.shape


def _turn(patch: Patch, op: Operator, turned: dict[int, int]) -> None:
    """Add `op` on turned maps."""
    graph = patch.graph
    target = graph.tensors[op.outputs[0]]
    inputs = [turned.get(t, t) for t in op.inputs]
    options: dict[str, Option] = {}
    if op.kind in _REDUCTIONS:
        made = patch.tensor(target, tuple(1 if a == 2 else size for a, size in enumerate(_shape(patch, inputs[0]))))
        inputs[1] = patch.numbers((2,))
        options = {"keep_dims": True}
    else:
        made = patch.tensor(target, tuple(target.shape[a] for a in TURNED))
    if op.kind in _WINDOWS:
        options = dict(_options_turned(op))
    if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        weights = graph.tensors[op.inputs[1]]
        values = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape)
        inputs[1] = patch.constant(weights, values.swapaxes(1, 2))
    turned[op.outputs[0]] = patch.copy(op, inputs, made, options)


def _shape(patch: Patch, tensor: int) -> Sequence[int]:
    return patch.tensors[tensor].shape


def _options_turned(op: Operator) -> dict[str, Option]:
    """The options of a window, with those of the height and of the width exchanged."""
    pairs = (
        ("stride_h", "stride_w"),
        ("dilation_h_factor", "dilation_w_factor"),
        ("filter_height", "filter_width"),
        ("pad_top", "pad_left"),
        ("pad_bottom", "pad_right"),
    )
    other = {**dict(pairs), **{b: a for a, b in pairs}}
    return {other[name]: value for name, value in op.options.items() if name in other}
