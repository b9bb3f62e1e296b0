"""How are rows cut along channels, too? A step computes some channels of a row, so that a row need never be whole.

A grouped tensor becomes one tensor per group, each with rows of its own:

    whole:    row 0 [ c0 c1 c2 c3 ]        two groups:    row 0 [ c0 c1 ]   row 0 [ c2 c3 ]
              row 1 [ c0 c1 c2 c3 ]                       row 1 [ c0 c1 ]   row 1 [ c2 c3 ]

Who makes a group:

* A convolution computes it from its whole input, with the group's own filters.
* An embedding looks it up in the group's part of the table.
* A channel-wise operator (depthwise, pooling, element-wise, a sum over pixels) makes it of the same group of its input.

Who reads groups:

* A channel-wise operator reads one group and writes the same channels of its output, grouped or whole.
* A convolution adds one group after the other to int32 sums of an output row and requantises them once. That is exact.

Nothing is computed twice. No weight is stored twice: a group's weights are a part of the operator's.

A concatenation along channels vanishes when its output is grouped where its inputs meet: each group is one of its inputs,
or a part of one. (Serenity's identity rewriting, arXiv 2003.02369: partial sums per branch, depthwise per branch.)

Groups pay where a stride skips rows. The rows that the next window does not read again have to exist for one group at a
time only. (Pex, arXiv 2211.17246; fused depthwise tiling, arXiv 2303.17878. Here rows are the second axis.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Tensor
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.split.channel_rules import ChannelRules, RowOps, Sizes, feeds, sums
from tflm_split.split.row_op import Placement, Read, RowOp
from tflm_split.split.rows import RowShape
from tflm_split.split.storage import Alias


@dataclass(frozen=True, slots=True)
class Grouped:
    """The graph with its groups.

    `graph` has one more tensor per group. `row_ops` work on these. `aliases` are the groups that are slices of a whole
    tensor.
    """

    graph: Graph
    row_ops: RowOps
    aliases: Mapping[int, Alias]
    touched: frozenset[int]
    """Operators that now work by groups."""
    part_of: Mapping[int, int]
    """Added tensor -> the tensor of the model that it is a part of, or holds sums of."""


def group_channels(
    graph: Graph, row_ops: RowOps, sizes: Mapping[int, Sizes], rules: ChannelRules | None = None
) -> Grouped:
    """`row_ops` with every tensor of `sizes` cut into groups of so many channels. `rules` are those of `row_ops`, if known.

    Raises Refusal when a tensor cannot be cut along channels, or when its groups do not fit the operators that touch it.
    """
    if not sizes:
        return Grouped(graph, row_ops, {}, frozenset(), {})
    rules = rules or ChannelRules(graph, row_ops)
    joints = rules.joined
    allowed = rules.groupable | joints.keys()
    for t, groups in sizes.items():
        channels = graph.tensors[t].shape[-1] if graph.tensors[t].shape else 0
        if t not in allowed or sum(groups) != channels or min(groups) < 1:
            raise Refusal("channels", f"tensor {graph.tensors[t].name!r} cannot be cut along channels")
    makers = graph.producers()
    branches = {t: tuple(op.reads[0].tensor for op in row_ops[makers[t]]) for t in joints if t in sizes}
    sizes = _ending_with_branches(graph, sizes, branches)
    parts = _Parts(graph, sizes, branches)
    changed: dict[int, tuple[RowOp, ...]] = {}
    touched = set()
    for k, ops in row_ops.items():
        if ops and ops[0].output in branches:
            changed[k] = ()  # its readers find each group in the branch it comes from
        else:
            changed[k] = tuple(part for op in ops for part in _in_groups(graph, op, sizes, parts))
        if changed[k] != tuple(ops):
            touched.add(k)
    tensors = (*graph.tensors, *parts.added)
    return Grouped(
        replace(graph, tensors=tensors), changed, dict(parts.aliases), frozenset(touched), dict(parts.part_of)
    )


def _ending_with_branches(
    graph: Graph, sizes: Mapping[int, Sizes], branches: Mapping[int, tuple[int, ...]]
) -> Mapping[int, Sizes]:
    """`sizes`, refined: in a concatenation that vanishes, a group also ends wherever a group of an input ends.

    input a  [ 4 | 4 ]   input b  [ 8 ]   asked for  [ 8 | 8 ]   refined  [ 4 | 4 | 8 ]
    """
    refined = dict(sizes)
    for op in graph.operators:  # inner concatenations come first
        for t in op.outputs:
            if t in branches:
                inputs = [refined.get(b, (graph.tensors[b].shape[-1],)) for b in branches[t]]
                grouped = any(b in refined for b in branches[t])
                ends = {*accumulate(refined[t]), *(accumulate(c for group in inputs for c in group) if grouped else ())}
                refined[t] = tuple(b - a for a, b in zip((0, *sorted(ends)), sorted(ends), strict=False))
    return refined


class _Parts:
    """Adds one tensor per group, once each.

    A group of a tensor in `sizes` has rows of its own. A group of any other tensor is a slice of its rows. `branches`: a
    concatenation that vanishes -> its inputs; its groups are groups of these.
    """

    def __init__(self, graph: Graph, sizes: Mapping[int, Sizes], branches: Mapping[int, tuple[int, ...]]) -> None:
        self.graph = graph
        self.sizes = sizes
        self.branches = branches
        self.added: list[Tensor] = []
        self.aliases: dict[int, Alias] = {}
        self.part_of: dict[int, int] = {}
        self._known: dict[tuple[int, int, int], int] = {}
        self._groups = {
            t: frozenset(zip(accumulate((0, *groups)), groups, strict=False)) for t, groups in sizes.items()
        }
        """By tensor: the first channel of each group and how many it has."""

    def of(self, tensor: int, first: int, channels: int, row_bytes: int) -> int:
        """The index of the tensor that holds channels [first, first + channels) of `tensor`, whose own rows have `row_bytes`.

        Raises Refusal when these channels are no group of it.
        """
        if tensor in self.branches:
            return self._of_branch(tensor, first, channels, row_bytes)
        groups = self._groups.get(tensor)
        if groups and (first, channels) not in groups:
            raise Refusal("channels", "a group of a concatenation is no group of its input")
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
            self.part_of[index] = tensor
        return self._known[key]

    def _of_branch(self, tensor: int, first: int, channels: int, row_bytes: int) -> int:
        whole = self.graph.tensors[tensor].shape[-1]
        for branch in self.branches[tensor]:
            width = self.graph.tensors[branch].shape[-1]
            if first + channels <= width:
                if channels == width and branch not in self.sizes:
                    return branch
                return self.of(branch, first, channels, row_bytes * width // whole)
            if first < width:
                break
            first -= width
        raise Refusal("channels", "a group would hold channels of two inputs of a concatenation")

    def add_sums(self, op: RowOp) -> int:
        """The index of a new int32 tensor [1, rows, columns, channels], for the sums of `op`'s output rows."""
        index = len(self.graph.tensors) + len(self.added)
        target, shape = (*self.graph.tensors, *self.added)[op.output], op.output_shape
        self.part_of[index] = self.part_of.get(op.output, op.output)
        self.added.append(
            replace(
                target,
                index=index,
                name=f"{target.name}[sums]",
                shape=(1, shape.rows, shape.columns, shape.channels),
                dtype="INT32",
                quantization=None,
            )
        )
        return index


def _in_groups(graph: Graph, op: RowOp, sizes: Mapping[int, Sizes], parts: _Parts) -> Iterator[RowOp]:
    """The row ops that replace `op`, whether groups are its output, its inputs or both."""
    to_sum = op.reads[0].tensor in sizes and sums(graph, op)
    for part in _cut(graph, op, sizes, parts):
        yield from _summed(part, sizes, parts) if to_sum else (part,)


def _cut(graph: Graph, op: RowOp, sizes: Mapping[int, Sizes], parts: _Parts) -> Iterator[RowOp]:
    """The row ops that replace `op`: one per group of its output or of what it reads channel by channel, else `op` itself."""
    if op.output not in sizes and all(read.tensor not in sizes for read in op.reads):
        yield op
        return
    fed = [feeds(graph, op, read.tensor) for read in op.reads]
    wanted = {sizes[op.output]} if op.output in sizes else set()
    wanted |= {
        tuple(c * m for c in sizes[r.tensor]) for r, m in zip(op.reads, fed, strict=True) if m and r.tensor in sizes
    }
    if not wanted:
        yield op
        return
    if len(wanted) > 1:
        raise Refusal("channels", f"{graph.label(graph.operators[op.source])} joins different groups of channels")
    (groups,) = wanted
    if any(c % m for c in groups for m in fed if m):
        raise Refusal("channels", "a group would split what one input channel feeds")
    total = op.output_shape.channels
    element = op.output_shape.element_bytes
    first = 0
    for channels in groups:
        reads = tuple(
            _part_of_read(r, first // m, channels // m, parts) if m else r for r, m in zip(op.reads, fed, strict=True)
        )
        shape = replace(op.output_shape, channels=channels)
        place: dict[str, object] = {"output": parts.of(op.output, first, channels, op.output_shape.row_bytes)}
        if op.output not in sizes:
            placement = Placement(op.placement.first_row, op.placement.offset_bytes + first * element)
            stride = op.output_pixel_stride_bytes or op.output_shape.pixel_bytes
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
    tensor = parts.of(read.tensor, first, channels, read.shape.row_bytes)
    # A slice has no life of its own: it dies with the whole row.
    own_rows = tensor not in parts.aliases
    shape = RowShape(read.shape.rows, read.shape.columns, channels, read.shape.element_bytes)
    return Read(tensor, shape, read.window, read.may_be_overwritten and own_rows)


def _summed(op: RowOp, sizes: Mapping[int, Sizes], parts: _Parts) -> Iterator[RowOp]:
    """A convolution of a grouped tensor: one row op per group adds to the sums, and the last one makes the output of them."""
    (read,) = op.reads
    groups, total = sizes[read.tensor], read.shape.channels
    sums = parts.add_sums(op) if len(groups) > 1 else None
    weights = op.params["weights_offset"]
    assert isinstance(weights, bytes)
    filters = np.frombuffer(weights, np.int8).reshape(-1, total)
    rows_of_sums = replace(op.output_shape, element_bytes=4)
    first = 0
    for channels in groups:
        last = first + channels == total
        params = {**op.params, "weights_offset": filters[:, first : first + channels].tobytes()}
        change: dict[str, object] = {}
        if sums is not None and last:
            change = {"kind": OpKind.CONV_SUM_LAST, "sums": sums}
        elif sums is not None:
            params["flags"] = int(int(op.params["flags"]) | (WeightFlags.FIRST if first == 0 else 0))
            change = {
                "kind": OpKind.CONV_SUM,
                "sums": sums if first else None,
                "output": sums,
                "output_shape": rows_of_sums,
                "placement": Placement(),
                "output_pixel_stride_bytes": 0,
            }
        yield replace(
            op,
            reads=(_part_of_read(read, first, channels, parts),),
            params=params,
            macs_per_step=op.macs_per_step * channels // total,
            **change,  # type: ignore[arg-type]  # chosen above, field by field
        )
        first += channels


def _part_of_params(op: RowOp, first: int, channels: int) -> Mapping[str, int | float | bytes]:
    params = dict(op.params)
    total = op.output_shape.channels
    if op.kind is OpKind.GATHER:
        table = params["table_offset"]
        assert isinstance(table, bytes)
        entries = np.frombuffer(table, np.int8).reshape(-1, total)
        params["table_offset"] = entries[:, first : first + channels].tobytes()
    if "weights_offset" not in params:
        return params

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
