"""What if a chain of convolutions and pools made its result some columns at a time?

Then rows of the maps in between are never whole. Each tile is a chain of its own, on a slice of the columns:

    input            [ . . . . . . . . ]
                      `---------'             tile 1 reads these columns
                            `---------'       tile 2 reads these: two columns are the halo, read by both
    in between       [ tile 1 ]  [ tile 2 ]   at different times
    result           [ 1 1 1 1 | 2 2 2 2 ]    joined along columns

Slices and joints are windows onto the same bytes, not copies. Where windows overlap, both tiles compute the columns of the
halo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tflm_split.errors import ModelError
from tflm_split.ir.graph import Graph, Operator, Option, Tensor
from tflm_split.split.operators.window import Axis, window_axes

POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
WINDOWED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"}) | POOLS


@dataclass(frozen=True, slots=True)
class Tiles:
    """Compute the chain `operators` in tiles of columns.

    Each operator reads only what the one before it makes. `edges` are the first columns of all tiles in the last
    operator's output, the first of them 0.
    """

    operators: tuple[int, ...]
    edges: tuple[int, ...]

    def applied(self, graph: Graph) -> Graph:
        """`graph` with the chain tiled.

        Raises ModelError when `operators` are no chain of windows, or when an edge lies outside of the result.
        """
        chain = [graph.operators[k] for k in self.operators]
        consumers = graph.consumers()
        for op, after in pairwise(chain):
            if consumers.get(op.outputs[0]) != (after.index,) or op.outputs[0] in graph.outputs:
                raise ModelError(f"{graph.label(op)} is read by others than {graph.label(after)}")
        target = graph.tensors[chain[-1].outputs[0]]
        if any(op.kind not in WINDOWED for op in chain) or self.edges[0] != 0:
            raise ModelError(f"{graph.label(chain[-1])} ends no chain of windows")
        builder = _Builder(graph)
        results = []
        for first, stop in pairwise((*self.edges, target.shape[2])):
            results.append(builder.tile(chain, first, stop))
        joined = Operator(0, "CONCATENATION", tuple(results), chain[-1].outputs, _JOINED)
        operators: list[Operator] = []
        for op in graph.operators:
            if op.index == self.operators[-1]:
                operators += [*builder.operators, joined]
            elif op.index not in self.operators:
                operators.append(op)
        return replace(graph, tensors=tuple(builder.tensors)).with_operators(tuple(operators))


def column_windows(graph: Graph, op: Operator) -> tuple[Axis, Axis]:
    """The windows of a WINDOWED operator along height and along width. Raises Refusal when they do not fit."""
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if op.kind in POOLS:
        height, width = (int(op.options[f"filter_{side}"]) for side in ("height", "width"))
    else:
        height, width = graph.tensors[op.inputs[1]].shape[1:3]
    return window_axes(op, source, target, (height, width), dilated=op.kind not in POOLS)


_JOINED: Mapping[str, Option] = {"axis": 2, "fused_activation_function": "NONE"}


class _Builder:
    """Collects the tensors and operators of tiles."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.operators: list[Operator] = []

    def tile(self, chain: list[Operator], first: int, stop: int) -> int:
        """Add the chain that makes columns [first, stop) of the result, and return the index of the tensor of these."""
        if not first < stop:
            raise ModelError("a tile has no columns")
        reads = []
        for op in reversed(chain):
            columns, width = column_windows(self.graph, op)[1], self.graph.tensors[op.inputs[0]].shape[2]
            low = first * columns.stride - columns.pad
            high = (stop - 1) * columns.stride - columns.pad + (columns.kernel - 1) * columns.dilation + 1
            reads.append((first, stop, max(-low, 0), max(high - width, 0)))
            first, stop = max(low, 0), min(high, width)
        tensor = self._slice(chain[0].inputs[0], first, stop)
        for op, (first, stop, left, right) in zip(chain, reversed(reads), strict=True):
            tensor = self._window(op, tensor, first, stop, left, right)
        return tensor

    def _slice(self, tensor: int, first: int, stop: int) -> int:
        whole = self.graph.tensors[tensor]
        begin = self._constant((0, 0, first, 0))
        size = self._constant((1, whole.shape[1], stop - first, whole.shape[3]))
        part = self._part(whole, first, stop)
        self.operators.append(Operator(0, "SLICE", (tensor, begin, size), (part,)))
        return part

    def _window(self, op: Operator, source: int, first: int, stop: int, left: int, right: int) -> int:
        rows = column_windows(self.graph, op)[0]
        whole, target = self.graph.tensors[op.inputs[0]], self.graph.tensors[op.outputs[0]]
        reach = (target.shape[1] - 1) * rows.stride + (rows.kernel - 1) * rows.dilation + 1
        pads: Mapping[str, Option] = {
            "padding": "EXPLICIT",
            "pad_top": rows.pad,
            "pad_bottom": max(reach - rows.pad - whole.shape[1], 0),
            "pad_left": left,
            "pad_right": right,
        }
        part = self._part(target, first, stop)
        inputs = (source, *op.inputs[1:])
        self.operators.append(replace(op, inputs=inputs, outputs=(part,), options={**op.options, **pads}))
        return part

    def _part(self, whole: Tensor, first: int, stop: int) -> int:
        shape = (*whole.shape[:2], stop - first, whole.shape[3])
        return self._add(replace(whole, name=f"{whole.name}[,{first}:{stop}]", shape=shape))

    def _constant(self, values: tuple[int, ...]) -> int:
        return self._add(Tensor(0, "columns", (len(values),), "INT32", data=np.array(values, "<i4").tobytes()))

    def _add(self, tensor: Tensor) -> int:
        self.tensors.append(replace(tensor, index=len(self.tensors)))
        return len(self.tensors) - 1
