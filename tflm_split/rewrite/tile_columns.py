"""What if a block of operators made its result some columns at a time?

Then rows of the maps in between are never whole. Each tile is a block of its own, on a slice of the columns:

    input            [ . . . . . . . . ]
                      `---------'             tile 1 reads these columns
                            `---------'       tile 2 reads these: two columns are the halo, read by both
    in between       [ tile 1 ]  [ tile 2 ]   at different times
    result           [ 1 1 1 1 | 2 2 2 2 ]    joined along columns

Slices and joints are windows onto the same bytes, not copies. Where windows overlap, both tiles compute the columns of the
halo. A block may hold whatever the axis table (`split/axes/`) can follow along columns: windows, element-wise operators,
joints along channels; so residual blocks, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tflm_split.errors import ModelError
from tflm_split.ir.graph import ABSENT, Graph, Operator, Option, Tensor
from tflm_split.split.axes.loops import IN_STEP
from tflm_split.split.axes.table import loops_of
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.unary import UNARY_KINDS
from tflm_split.split.operators.window import Axis, window_axes
from tflm_split.split.rows import Window

POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
WINDOWED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"}) | POOLS
TILED = WINDOWED.union(UNARY_KINDS, BINARY_KINDS, (BYTE_FUNCTION, "CONCATENATION", "SOFTMAX"))
"""The kinds that a tile may hold: no constant of theirs counts columns."""
COLUMNS = 2
"""The axis of a map that its columns are counted along."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Compute the operators of a block in tiles of columns.

    Only the last operator makes something that others read. `edges` are the first columns of all tiles in that, the first
    of them 0.
    """

    operators: tuple[int, ...]
    edges: tuple[int, ...]

    def applied(self, graph: Graph) -> Graph:
        """`graph` with the block tiled.

        Raises ModelError when the columns of some operator cannot be followed, when others read what only the block may
        know, or when an edge lies outside of the result.
        """
        block = [graph.operators[k] for k in self.operators]
        consumers, inside = graph.consumers(), frozenset(self.operators)
        for op in block[:-1]:
            for t in op.outputs:
                if not inside.issuperset(consumers.get(t, ())) or t in graph.outputs:
                    raise ModelError(f"what {graph.label(op)} makes is read by others than its block")
        target = graph.tensors[block[-1].outputs[0]]
        if self.edges[0] != 0 or not all(can_be_tiled(graph, op) for op in block):
            raise ModelError(f"{graph.label(block[-1])} ends no chain of operators whose columns can be followed")
        builder = _Builder(graph)
        results = []
        for first, stop in pairwise((*self.edges, target.shape[COLUMNS])):
            results.append(builder.tile(block, first, stop))
        joined = Operator(0, "CONCATENATION", tuple(results), block[-1].outputs, _JOINED)
        operators: list[Operator] = []
        for op in graph.operators:
            if op.index == self.operators[-1]:
                operators += [*builder.operators, joined]
            elif op.index not in inside:
                operators.append(op)
        return replace(graph, tensors=tuple(builder.tensors)).with_operators(tuple(operators))


def tile_blocks(before: Graph, after: Graph, tiles: Tiles) -> tuple[Mapping[int, int], ...]:
    """By tile: operator of `tiles` -> the operator of `after` that does its work; `after` is `before` with `tiles` applied."""
    makers = after.producers()
    last = before.operators[tiles.operators[-1]]
    blocks = []
    for part in after.operators[makers[last.outputs[0]]].inputs:
        of_tile, todo = {tiles.operators[-1]: makers[part]}, [tiles.operators[-1]]
        while todo:
            k = todo.pop()
            for t, now in zip(before.operators[k].inputs, after.operators[of_tile[k]].inputs, strict=True):
                made_by = _behind_slice(after, makers, now)
                for other in tiles.operators:
                    if before.operators[other].outputs[0] == t and other not in of_tile:
                        of_tile[other] = made_by
                        todo.append(other)
        blocks.append({k: of_tile[k] for k in tiles.operators})
    return tuple(blocks)


def _behind_slice(graph: Graph, makers: Mapping[int, int], tensor: int) -> int:
    """The operator that makes a tensor, or the tensor that it is a slice of; -1 where none does."""
    maker = makers.get(tensor, -1)
    if maker >= 0 and graph.operators[maker].kind == "SLICE":
        return makers.get(graph.operators[maker].inputs[0], -1)
    return maker


def column_windows(graph: Graph, op: Operator) -> tuple[Axis, Axis]:
    """The windows of a WINDOWED operator along height and along width. Raises Refusal when they do not fit."""
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if op.kind in POOLS:
        height, width = (int(op.options[f"filter_{side}"]) for side in ("height", "width"))
    else:
        height, width = graph.tensors[op.inputs[1]].shape[1:3]
    return window_axes(op, source, target, (height, width), dilated=op.kind not in POOLS)


def can_be_tiled(graph: Graph, op: Operator) -> bool:
    """Whether `op` makes one map of one sample, any columns of which it can make of some columns of the maps that it reads."""
    if op.kind not in TILED or len(op.outputs) != 1 or not _is_map(graph.tensors[op.outputs[0]]):
        return False
    if op.kind == "CONCATENATION" and op.options.get("axis") not in (-1, 3):
        return False
    loops = loops_of(graph, op)
    maps = []
    for k, t in enumerate(op.inputs):
        constant = t == ABSENT or graph.tensors[t].is_constant
        if k not in loops.operands:
            if not constant:
                return False
            continue
        along = loops.follower(k, COLUMNS)
        follows = None if along is None else loops.followed(k, along)
        if follows is None:
            if COLUMNS in loops.torn:
                return False
            continue
        if along != COLUMNS or constant or not _is_map(graph.tensors[t]):
            return False
        maps.append(follows.reach)
    in_windows = op.kind in WINDOWED and all(isinstance(reach, Window) for reach in maps)
    return bool(maps) and (in_windows or all(reach == IN_STEP for reach in maps))


def _is_map(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[0] == 1


Span = tuple[int, int]
"""Of rows or columns: the first one, and the first one behind the last."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What an operator needs of one operand along one axis of its output."""

    tensor: int
    window: Window
    size: int
    """Of the operand, along that axis."""

    def of(self, made: Span) -> Span:
        """The span of the operand that `made` of the output needs. Empty where that lies in padding alone."""
        low, high = self.reached(made)
        return max(low, 0), min(high, self.size)

    def reached(self, made: Span) -> Span:
        """The same, what lies in the padding included."""
        window = self.window
        first, last = (index * window.stride - window.pad for index in (made[0], made[1] - 1))
        return first, last + (window.kernel - 1) * window.dilation + 1


def needs(graph: Graph, op: Operator, axis: int) -> dict[int, Needs]:
    """Position of an operand -> what `op`, which `can_be_tiled`, needs of it along `axis`: those that follow that axis only."""
    loops = loops_of(graph, op)
    found = {}
    for k, t in enumerate(op.inputs):
        along = loops.follower(k, axis)
        follows = None if along is None else loops.followed(k, along)
        if (
            follows is not None
            and isinstance(follows.reach, Window)
            and t != ABSENT
            and not graph.tensors[t].is_constant
        ):
            found[k] = Needs(t, follows.reach, follows.size)
    return found


Chain = Sequence[tuple[int, Sequence[Needs]]]
"""Operators in order: what each makes, and what it needs for that along one axis."""


def spans(chain: Chain, made: Span) -> dict[int, Span]:
    """Tensor -> what of it a block needs, to make the span `made` of its last result: of those it makes, and of those it reads.

    Raises ModelError where something of the block is the same for all of the axis, so that it is needed whole.
    """
    needed = {chain[-1][0]: made}
    for output, operands in reversed(chain):
        if output not in needed:
            raise ModelError(f"a tile would need the whole of tensor {output}, which its block makes")
        for operand in operands:
            read = operand.of(needed[output])
            before = needed.get(operand.tensor, read)
            needed[operand.tensor] = min(before[0], read[0]), max(before[1], read[1])
    return needed


_JOINED: Mapping[str, Option] = {"axis": COLUMNS, "fused_activation_function": "NONE"}


class _Builder:
    """Collects the tensors and operators of tiles."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.operators: list[Operator] = []

    def tile(self, block: list[Operator], first: int, stop: int) -> int:
        """Add the block that makes columns [first, stop) of the result, and return the index of the tensor of these."""
        if not first < stop:
            raise ModelError("a tile has no columns")
        columns = [needs(self.graph, op, COLUMNS) for op in block]
        chain = [(op.outputs[0], tuple(of_op.values())) for op, of_op in zip(block, columns, strict=True)]
        needed = spans(chain, (first, stop))
        if not all(low < high for low, high in needed.values()):
            raise ModelError("a tile has columns that lie in padding alone")
        parts: dict[int, int] = {}
        """Tensor of the graph -> the one that holds the needed columns of it."""
        for op, of_op in zip(block, columns, strict=True):
            made = needed[op.outputs[0]]
            inputs = list(op.inputs)
            for k, operand in of_op.items():
                t, (low, high) = operand.tensor, operand.of(made)
                if t not in parts:
                    parts[t] = self._slice(t, *needed[t])
                inputs[k] = self._slice(parts[t], low - needed[t][0], high - needed[t][0])
            target = self.graph.tensors[op.outputs[0]]
            parts[op.outputs[0]] = part = self._part(target, *made)
            options = {**op.options, **(self._pads(op, of_op[0], made) if op.kind in WINDOWED else {})}
            self.operators.append(replace(op, inputs=tuple(inputs), outputs=(part,), options=options))
        return parts[block[-1].outputs[0]]

    def _slice(self, tensor: int, first: int, stop: int) -> int:
        """Some columns of a tensor; the tensor itself, if these are all."""
        whole = self.tensors[tensor]
        if (first, stop) == (0, whole.shape[COLUMNS]):
            return tensor
        begin = self._constant((0, 0, first, 0))
        size = self._constant((1, whole.shape[1], stop - first, whole.shape[3]))
        part = self._part(whole, first, stop)
        self.operators.append(Operator(0, "SLICE", (tensor, begin, size), (part,)))
        return part

    def _pads(self, op: Operator, columns: Needs, made: Span) -> Mapping[str, Option]:
        """The padding of the tile that makes the columns `made`: along the columns where it touches the map's edges."""
        rows = column_windows(self.graph, op)[0]
        whole, target = self.graph.tensors[op.inputs[0]], self.graph.tensors[op.outputs[0]]
        reach = (target.shape[1] - 1) * rows.stride + (rows.kernel - 1) * rows.dilation + 1
        low, high = columns.reached(made)
        return {
            "padding": "EXPLICIT",
            "pad_top": rows.pad,
            "pad_bottom": max(reach - rows.pad - whole.shape[1], 0),
            "pad_left": max(-low, 0),
            "pad_right": max(high - columns.size, 0),
        }

    def _part(self, whole: Tensor, first: int, stop: int) -> int:
        shape = (*whole.shape[:2], stop - first, whole.shape[3])
        return self._add(replace(whole, name=f"{whole.name}[,{first}:{stop}]", shape=shape))

    def _constant(self, values: tuple[int, ...]) -> int:
        return self._add(Tensor(0, "columns", (len(values),), "INT32", data=np.array(values, "<i4").tobytes()))

    def _add(self, tensor: Tensor) -> int:
        self.tensors.append(replace(tensor, index=len(self.tensors)))
        return len(self.tensors) - 1
