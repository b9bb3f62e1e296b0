"""Which tensors can be cut along channels, and which operators pass the groups on?

Two facts decide, and each has another owner. Whether a kernel can compute some of its channels is said by its kind
(`kinds/`). Which input channels it then needs is said by the table of connected axes (`split/axes/table.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

from tflm_split import kinds
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.kinds.kind import Channels
from tflm_split.split.axes.loops import IN_STEP, Loops, Relation, unknown
from tflm_split.split.axes.table import loops_of
from tflm_split.split.operators.pad import COPY
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import BatchRows, row_shape

Sizes = tuple[int, ...]
"""Channels of each group, in order."""

RowOps = Mapping[int, tuple[RowOp, ...]]


class ChannelRules:
    """The rules for the row ops of one graph. Each answer is found once."""

    def __init__(self, graph: Graph, row_ops: RowOps) -> None:
        self._graph, self._row_ops = graph, row_ops

    @cached_property
    def groupable(self) -> frozenset[int]:
        """As the function of that name; and so with the others."""
        return groupable(self._graph, self._row_ops)

    @cached_property
    def summed(self) -> frozenset[int]:
        return summed(self._graph, self._row_ops)

    @cached_property
    def joined(self) -> Mapping[int, Sizes]:
        return joined(self._graph, self._row_ops)


def equal_groups(channels: int, group: int) -> Sizes:
    """`channels` in groups of `group` channels; the last group may be smaller."""
    return tuple(min(group, channels - first) for first in range(0, channels, group))


def groupable(graph: Graph, row_ops: RowOps) -> frozenset[int]:
    """Tensors that can be cut between any two channels.

    One row op makes such a tensor and can make some of its channels; all row ops that read it can read it group by group.
    """
    made_by = [ops[0] for ops in row_ops.values() if len(ops) == 1]
    readable = _readable_by_groups(graph, row_ops)
    return frozenset(op.output for op in made_by if op.output in readable and _cuts_output(graph, op))


def joined(graph: Graph, row_ops: RowOps) -> Mapping[int, Sizes]:
    """Concatenations along channels that need not exist: output tensor -> the channels of each input.

    Groups of the output must end where an input ends.
    """
    readable = _readable_by_groups(graph, row_ops)
    joints: dict[int, Sizes] = {}
    for k, ops in row_ops.items():
        target = graph.operators[k].outputs[0]
        if graph.operators[k].kind != "CONCATENATION" or target not in readable:
            continue
        whole = row_shape(graph.tensors[target])
        if all(_is_channel_copy(op) and op.output_shape.columns == whole.columns for op in ops):
            joints[target] = tuple(op.output_shape.channels for op in ops)
    return MappingProxyType(joints)


def summed(graph: Graph, row_ops: RowOps) -> frozenset[int]:
    """Tensors that some convolution reads over all channels: it would have to sum up their groups."""
    return frozenset(op.reads[0].tensor for ops in row_ops.values() for op in ops if sums(graph, op))


def _readable_by_groups(graph: Graph, row_ops: RowOps) -> frozenset[int]:
    """Tensors that only row ops read, and each of them can take one group of channels after the other."""
    readers: dict[int, list[RowOp]] = {}
    for ops in row_ops.values():
        for op in ops:
            for read in op.reads:
                readers.setdefault(read.tensor, []).append(op)
    consumers = graph.consumers()
    return frozenset(
        t
        for t, read_by in readers.items()
        if all(feeds(graph, op, t) or (sums(graph, op) and _is_cut_as(op, graph.tensors[t])) for op in read_by)
        and {op.source for op in read_by} == set(consumers.get(t, ()))
        and t not in graph.outputs
    )


def _is_cut_as(op: RowOp, tensor: Tensor) -> bool:
    """Whether `op` reads the tensor in the tensor's own rows. It may have none: a batch that is flattened, say."""
    try:
        return op.reads[0].shape == row_shape(tensor)
    except Refusal:
        return False


def _by_channels(op: RowOp) -> bool:
    """Whether the kernel of `op` can compute some of its output's channels only."""
    by = kinds.of(op.kind).channels
    in_groups = by is Channels.FILTERS and op.params.get("groups", 1) != 1
    return by is not Channels.NONE and not in_groups and not op.output_pixel_stride_bytes


def _is_channel_copy(op: RowOp) -> bool:
    """Whether the op is a concatenation's copy of its input next to other channels (or columns)."""
    return op.kind is OpKind.PAD and op.params == COPY and op.output_pixel_stride_bytes > 0


def _cuts_output(graph: Graph, op: RowOp) -> bool:
    """Whether the op can compute some of its output's channels only.

    Of each operand, an output channel must need all channels, or one, or none.
    """
    operator, loops = _loops(graph, op)
    known = all(
        loops.of_output(operator.inputs.index(read.tensor), loops.rank - 1) is Relation.BROADCAST
        or feeds(graph, op, read.tensor)
        for read in op.reads
    )
    # The op's pixel may be several pixels of the tensor: an entry of an embedding's table. Then its channels differ.
    return known and _by_channels(op) and op.output_shape.channels == loops.sizes[loops.rank - 1]


def feeds(graph: Graph, op: RowOp, tensor: int) -> int:
    """How many output channels `op` makes of each channel of `tensor` alone: 1, or a depthwise multiplier.

    0 when an output channel needs more than one channel of `tensor`.
    """
    copied = _is_channel_copy(op)
    if not copied and not _by_channels(op):
        return 0
    operator, loops = _loops(graph, op)
    follows = loops.followed(operator.inputs.index(tensor), len(graph.tensors[tensor].shape) - 1)
    if follows is None or follows.loop != loops.rank - 1:
        return 0
    if copied:
        return 1  # into its own part of the output
    channels = loops.sizes[follows.loop]
    match follows.reach:
        case BatchRows(output_rows=multiplier, input_rows=1) if channels == multiplier * follows.size:
            return multiplier
        case reach if reach == IN_STEP and channels == follows.size:
            return 1
    return 0


def sums(graph: Graph, op: RowOp) -> bool:
    """Whether the op can add up its input group by group.

    That needs weights whose last axis follows the same loop as the input's channels.
    """
    if op.kind is not OpKind.CONV or op.params["groups"] != 1:
        return False
    operator, loops = _loops(graph, op)
    read, weights = (
        loops.followed(position, len(graph.tensors[operator.inputs[position]].shape) - 1) for position in (0, 1)
    )
    return read is not None and weights is not None and read.loop == weights.loop >= loops.rank


def _loops(graph: Graph, op: RowOp) -> tuple[Operator, Loops]:
    operator = graph.operators[op.source]
    if operator.kind == "GATHER" and op.kind is not OpKind.GATHER:  # it picks parts of rows, which are not its channels
        return operator, unknown(len(graph.tensors[op.output].shape))
    return operator, loops_of(graph, operator, operator.outputs.index(op.output))
