"""Rows cut along channels too: a step computes some channels of a row, so that a row need never be whole.

A grouped tensor becomes one tensor per group, each with rows of its own. A convolution computes each group from its whole
input with the group's own filters; a channel-wise operator (depthwise, pooling, element-wise, a sum over pixels) reads a
group and writes the same channels of its output, grouped or whole. Nothing is computed twice, no weight is stored twice:
a group's weights are a part of the operator's.

It pays where a stride skips: of the rows a window reads, those the next window does not read again need to exist for one
group at a time only (Pex, arXiv 2211.17246, and fused depthwise tiling, arXiv 2303.17878, with rows as the second axis).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Tensor
from tflm_split.program.format import OpKind, WeightFlags
from tflm_split.split.row_op import Placement, Read, RowOp
from tflm_split.split.storage import Alias

Sizes = tuple[int, ...]
"""Channels of each group, in order."""

_FILTERS = frozenset({OpKind.CONV, OpKind.TRANSPOSE_CONV})
"""Every output channel needs all input channels."""
_CHANNEL_WISE = frozenset(
    {
        OpKind.DEPTHWISE, OpKind.AVERAGE_POOL, OpKind.MAX_POOL, OpKind.LUT, OpKind.ADD, OpKind.SUB, OpKind.MUL,
        OpKind.SUM_FEED, OpKind.RESIZE_NEAREST,
    }
)  # fmt: skip
"""Output channel c needs input channel c (depthwise: c / multiplier) and no other."""

RowOps = Mapping[int, tuple[RowOp, ...]]


@dataclass(frozen=True, slots=True)
class Grouped:
    """`graph` with a tensor added per group, the row ops on them, and which of them are slices of whole tensors."""

    graph: Graph
    row_ops: RowOps
    aliases: Mapping[int, Alias]
    touched: frozenset[int]
    """Operators that now work by groups."""


def equal_groups(channels: int, group: int) -> Sizes:
    """`channels` in groups of `group`, the last one smaller if need be."""
    return tuple(min(group, channels - first) for first in range(0, channels, group))


def groupable(graph: Graph, row_ops: RowOps) -> frozenset[int]:
    """Tensors that could be cut along channels: made by one row op that can, read by nothing but channel-wise ones."""
    makers: dict[int, list[RowOp]] = {}
    readers: dict[int, list[RowOp]] = {}
    for ops in row_ops.values():
        for op in ops:
            makers.setdefault(op.output, []).append(op)
            for read in op.reads:
                readers.setdefault(read.tensor, []).append(op)
    consumers = graph.consumers()
    found = set()
    for t, made in makers.items():
        read_by = readers.get(t, [])
        if (
            len(made) == 1
            and _cuts_output(made[0])
            and read_by
            and all(_is_channel_wise(op) for op in read_by)
            and {op.source for op in read_by} == set(consumers.get(t, ()))
            and t not in graph.outputs
        ):
            found.add(t)
    return frozenset(found)


def group_channels(graph: Graph, row_ops: RowOps, sizes: Mapping[int, Sizes]) -> Grouped:
    """`row_ops` with every tensor of `sizes` cut along channels; raises Refusal when they do not fit the operators."""
    if not sizes:
        return Grouped(graph, row_ops, MappingProxyType({}), frozenset())
    allowed = groupable(graph, row_ops)
    for t, found in sizes.items():
        channels = graph.tensors[t].shape[-1] if graph.tensors[t].shape else 0
        if t not in allowed or sum(found) != channels or min(found) < 1:
            raise Refusal("channels", f"tensor {graph.tensors[t].name!r} cannot be cut along channels")
    parts = _Parts(graph, sizes)
    changed: dict[int, tuple[RowOp, ...]] = {}
    touched = set()
    for k, ops in row_ops.items():
        cut = [list(_cut(graph, op, sizes, parts)) for op in ops]
        changed[k] = tuple(part for found in cut for part in found)
        if changed[k] != tuple(ops):
            touched.add(k)
    tensors = (*graph.tensors, *parts.added)
    return Grouped(replace(graph, tensors=tensors), changed, dict(parts.aliases), frozenset(touched))


def _cuts_output(op: RowOp) -> bool:
    """Whether the op can compute some of its output's channels."""
    if op.output_pixel_stride_bytes:
        return False
    return (op.kind in _FILTERS and op.params.get("groups", 1) == 1) or _is_channel_wise(op)


def _is_channel_wise(op: RowOp) -> bool:
    return op.kind in _CHANNEL_WISE and not op.output_pixel_stride_bytes


class _Parts:
    """Adds a tensor per group of a tensor, once: rows of their own where it is grouped, slices where it is whole."""

    def __init__(self, graph: Graph, sizes: Mapping[int, Sizes]) -> None:
        self.graph = graph
        self.sizes = sizes
        self.added: list[Tensor] = []
        self.aliases: dict[int, Alias] = {}
        self._known: dict[tuple[int, int, int], int] = {}

    def of(self, tensor: int, first: int, channels: int, row_bytes: int) -> int:
        """Channels [first, first + channels) of `tensor`; a whole tensor's rows have `row_bytes`."""
        key = (tensor, first, channels)
        if key not in self._known:
            whole = self.graph.tensors[tensor]
            index = len(self.graph.tensors) + len(self.added)
            data = whole.data
            if data is not None:
                element = len(data) // max(whole.elements, 1)
                pixels = np.frombuffer(data, np.uint8).reshape(-1, whole.shape[-1] * element)
                data = pixels[:, first * element : (first + channels) * element].tobytes()
            elif tensor not in self.sizes:
                element = whole.bytes // whole.elements
                stride = whole.shape[-1] * element
                self.aliases[index] = Alias(index, tensor, 0, first * element, stride, row_bytes)
            self.added.append(
                replace(
                    whole,
                    index=index,
                    name=f"{whole.name}[{first}:{first + channels}]",
                    shape=(*whole.shape[:-1], channels),
                    data=data,
                )
            )
            self._known[key] = index
        return self._known[key]


def _cut(graph: Graph, op: RowOp, sizes: Mapping[int, Sizes], parts: _Parts) -> Iterator[RowOp]:
    """The row ops that take the place of `op`: itself, where neither side of it is grouped."""
    multiplier = int(op.params["groups"]) if op.kind is OpKind.DEPTHWISE else 1
    wanted = {sizes[op.output]} if op.output in sizes else set()
    if _is_channel_wise(op):
        wanted |= {tuple(c * multiplier for c in sizes[r.tensor]) for r in op.reads if r.tensor in sizes}
    if not wanted:
        yield op
        return
    if len(wanted) > 1:
        raise Refusal("channels", f"{graph.label(graph.operators[op.source])} joins different groups of channels")
    (groups,) = wanted
    if any(c % multiplier for c in groups):
        raise Refusal("channels", "a group would split what one input channel feeds")
    total = op.output_shape.channels
    element = op.output_shape.element_bytes
    first = 0
    for channels in groups:
        reads = op.reads
        if _is_channel_wise(op):
            reads = tuple(_part_of_read(r, first // multiplier, channels // multiplier, parts) for r in op.reads)
        shape = replace(op.output_shape, channels=channels)
        place: dict[str, object] = {"output": parts.of(op.output, first, channels, op.output_shape.row_bytes)}
        if op.output not in sizes:
            placement = Placement(op.placement.first_row, op.placement.offset_bytes + first * element)
            stride = op.output_shape.pixel_bytes
            place = {"output": op.output, "placement": placement, "output_pixel_stride_bytes": stride}
        yield replace(
            op,
            reads=reads,
            output_shape=shape,
            params=_part_of_params(op, first, channels),
            accumulator_bytes=op.accumulator_bytes * channels // total,
            macs_per_step=op.macs_per_step * channels // total,
            **place,  # type: ignore[arg-type]  # chosen above, field by field
        )
        first += channels


def _part_of_read(read: Read, first: int, channels: int, parts: _Parts) -> Read:
    if read.shape.channels == 1:
        return read  # broadcast along channels
    tensor = parts.of(read.tensor, first, channels, read.shape.row_bytes)
    # A slice of a whole row dies with the row, not on its own.
    own_rows = read.tensor in parts.sizes
    return replace(
        read,
        tensor=tensor,
        shape=replace(read.shape, channels=channels),
        may_be_overwritten=read.may_be_overwritten and own_rows,
    )


def _part_of_params(op: RowOp, first: int, channels: int) -> Mapping[str, int | float | bytes]:
    params = dict(op.params)
    if "weights_offset" not in params:
        return params
    total = op.output_shape.channels

    def part(name: str, entry_bytes: int) -> None:
        data = params[name]
        assert isinstance(data, bytes)
        params[name] = data[first * entry_bytes : (first + channels) * entry_bytes]

    weights = params["weights_offset"]
    assert isinstance(weights, bytes)
    if op.kind is OpKind.DEPTHWISE:
        taps = np.frombuffer(weights, np.int8).reshape(-1, total)
        params["weights_offset"] = taps[:, first : first + channels].tobytes()
    else:
        part("weights_offset", len(weights) // total)
    part("bias_offset", 4)
    if int(params.get("flags", 0)) & WeightFlags.PER_CHANNEL:
        part("multipliers_offset", 4)
        part("shifts_offset", 1)
    return params

