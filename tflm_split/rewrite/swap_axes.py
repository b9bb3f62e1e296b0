"""What if height and width changed places before a window that spans the whole height?

Such a window makes a map of one row of all columns: its output can only be cut along columns, while its input is cut along
rows. With the axes swapped both are cut the same way, and nothing needs to be whole but the input itself:

    before   input -> CONV_2D -> window of the whole height -> [1, 1, W, C]
    after    input -> TRANSPOSE -> CONV_2D turned -> window of the whole width -> [1, W, 1, C] -> RESHAPE

This is exact for whole numbers: each output sums the same products. It is one of several ways to split a graph, for the
TRANSPOSE needs the whole input until the last row is made. Another one leaves the first convolution as it is, for a window
along a row is fast. It runs one tile of columns after the other, and each tile is turned:

    input -> columns 0 to 3 of it -> CONV_2D -> TRANSPOSE -> rows 0 to 3 of the turned map
          -> columns 4 to 7 of it -> CONV_2D -> TRANSPOSE -> rows 4 to 7, ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Option, Tensor
from tflm_split.rewrite.int4_weights import int8_weights
from tflm_split.rewrite.patch import Accept, Patch, Site, rewritten
from tflm_split.rewrite.reductions import reductions
from tflm_split.rewrite.tall_windows import tall_windows
from tflm_split.rewrite.tile_columns import WINDOWED, Tiles
from tflm_split.split.operators import split_operator
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.unary import UNARY_KINDS

SWAP_AXES = "swap_axes"
TURNED = (0, 2, 1, 3)
MOST_TILES = 64
"""Each tile is some operators more, and the time of a search grows with their number."""
COLUMNS_PER_TILE = 2
"""At least so many: a turned tile of one column would be no map of rows."""

_WINDOWS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_ELEMENT_WISE = frozenset((*UNARY_KINDS, *BINARY_KINDS, BYTE_FUNCTION))
_REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"})
_INTEGERS = frozenset({"INT8", "INT16"})


def tiles_to_try(graph: Graph) -> tuple[int, ...]:
    """For `swapped_axes`: the numbers of tiles that are worth trying. Empty when no axes change places."""
    stretches = [_inside(graph, op) for op in graph.operators if _collapses(graph, op)]
    widths = [_width(graph, op) for inside in stretches for op in _tileable(graph, inside)]
    counts = {min(MOST_TILES, width // COLUMNS_PER_TILE) for width in widths}
    return (1, *sorted(n for n in counts if n > 1)) if stretches else ()


def swapped_axes(graph: Graph, accept: Accept, tiles: int = 1) -> Graph:
    """`graph` with the axes swapped before each window of the whole height; the same graph where there is none.

    `tiles`: the first convolution of each stretch makes its map in so many tiles of columns, which are turned one by one. With 1
    tile, what the stretch reads is turned instead.
    """
    while True:
        patch = next((p for op in graph.operators if _collapses(graph, op) and (p := _swapped(graph, op, tiles))), None)
        if patch is None:
            return graph
        changed = rewritten(rewritten(patch.applied(), reductions, accept), _tall_ones, accept)
        new = [op for op in changed.operators if op.rewrite == SWAP_AXES]
        if not all(accept(changed, op) for op in new):
            return graph
        graph = changed


def _tall_ones(site: Site) -> Patch | None:
    """The patch at a window that was wide, and is tall now."""
    return tall_windows(site) if site.op.rewrite == SWAP_AXES else None


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
        return refusal.kind == "geometry" and target.shape[1] == 1 and _knows_weights(graph, op)
    return False


def _knows_weights(graph: Graph, op: Operator) -> bool:
    """Whether the weights of a window, if it has any, can be turned before run time."""
    return op.kind not in _WEIGHTED or int8_weights(graph.tensors[op.inputs[1]]) is not None


def _reduced(graph: Graph, op: Operator) -> set[int]:
    numbers = graph.tensors[op.inputs[1]]
    if numbers.data is None or numbers.dtype != "INT32":
        return set()
    rank = len(graph.tensors[op.inputs[0]].shape)
    return {int(a) % rank for a in np.frombuffer(numbers.data, "<i4")}


def _swapped(graph: Graph, last: Operator, tiles: int = 1) -> Patch | None:
    """The patch that turns `last` and all that it is made of; None when something of that cannot be turned."""
    inside = _inside(graph, last)
    if tiles > 1:
        first = next((op for op in _tileable(graph, inside) if _width(graph, op) >= 2 * tiles), None)
        if first is None:
            return None
        output = last.outputs[0]
        graph = _tiled(graph, first, tiles)
        last = graph.operators[graph.producers()[output]]
        inside = _inside(graph, last)
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


def _tileable(graph: Graph, inside: Mapping[int, Operator]) -> list[Operator]:
    """The operators of a stretch that may make their maps in tiles: what they read comes from outside, and stays whole."""
    made = {t for op in inside.values() for t in op.outputs}
    return [
        op
        for op in inside.values()
        if op.kind in WINDOWED and op.inputs[0] not in made and graph.tensors[op.outputs[0]].shape[1] > 1
    ]


def _width(graph: Graph, op: Operator) -> int:
    return graph.tensors[op.outputs[0]].shape[2]


def _tiled(graph: Graph, op: Operator, tiles: int) -> Graph:
    """`graph` with `op` in tiles of columns. The tiles, and the concatenation of them, are this rewrite's."""
    tiled = Tiles((op.index,), tuple(_width(graph, op) * k // tiles for k in range(tiles))).applied(graph)
    new = range(op.index, op.index + len(tiled.operators) - len(graph.operators) + 1)
    marked = [replace(o, rewrite=SWAP_AXES, source=op.source) if o.index in new else o for o in tiled.operators]
    return replace(tiled, operators=tuple(marked))


def _inside(graph: Graph, last: Operator) -> dict[int, Operator]:
    """By index: `last`, and all operators that make what it is made of and can be turned with it."""
    site = Site(graph, last, graph.producers(), graph.consumers())
    inside: dict[int, Operator] = {last.index: last}
    todo = [last]
    while todo:
        for t in _maps(graph, todo.pop()):
            maker = site.maker(t)
            if maker is not None and _can_turn(graph, maker) and maker.index not in inside:
                inside[maker.index] = maker
                todo.append(maker)
    return _closed(site, inside, last)


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
    if op.rewrite == SWAP_AXES:  # a tile stays as it is, and the row of tiles becomes a column
        return op.kind == "CONCATENATION"
    if op.kind not in _WINDOWS | _ELEMENT_WISE or len(op.outputs) != 1:
        return False
    target = graph.tensors[op.outputs[0]]
    if len(target.shape) != 4 or target.shape[0] != 1 or target.dtype not in _INTEGERS:
        return False
    values = [graph.tensors[t] for t in op.inputs if t >= 0]
    if op.kind in _WINDOWS:
        return graph.tensors[op.inputs[0]].dtype in _INTEGERS and _knows_weights(graph, op)
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
    elif op.kind == "CONCATENATION":
        options = {"axis": 1}
    if op.kind in _WEIGHTED:
        weights = graph.tensors[op.inputs[1]]
        values = int8_weights(weights)
        assert values is not None, "such an operator is in no stretch"
        inputs[1] = patch.constant(weights, values.swapaxes(1, 2), dtype="INT8")
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
