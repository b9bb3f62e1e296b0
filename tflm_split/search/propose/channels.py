"""Which tensors should be cut into groups of channels, alone or with those connected to them channel by channel?

In this order:

1. Groups that no reader has to add up, few large ones first.
2. Groups that need int32 sums. They come later, for the sums take memory of their own.
3. Groups as wide as the inputs of a concatenation, which then needs no copy.
"""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.ir.graph import Graph
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation
from tflm_split.search.limits import Limits
from tflm_split.split.channel_rules import Sizes, equal_groups

SHARES = (2, 3, 4, 6, 8, 12, 16)
"""Numbers of channel groups to try for a tensor."""
MIN_GROUP = 4
"""Channel groups are multiples of this many channels, because the kernels work on four at a time."""


def propose(state: Evaluation, limits: Limits) -> Iterator[Decision]:
    """Channel groups of the tensors that live at the peak."""
    if "channels" not in limits.axes:
        return
    decision, cut_graph, graph = state.decision, state.cut_graph, state.graph
    now, held = dict(decision.channel_groups), state.held_at_peak()
    seen: set[tuple[int, tuple[int, ...]]] = set()
    for allowed in (cut_graph.groupable - cut_graph.summed, cut_graph.groupable):
        cuttable = [t for t in held if t in allowed]
        connected = [_connected(graph, t, allowed) for t in cuttable]
        for share in SHARES:
            for t, others in zip(cuttable, connected, strict=True):
                for tensors in ((t,), others):
                    sizes = sizes_of(graph.tensors[t].shape[-1], share)
                    if (share, tensors) in seen or sizes is None or len(sizes) <= len(now.get(t, (1,))):
                        continue
                    seen.add((share, tensors))
                    yield decision.grouped({**now, **dict.fromkeys(tensors, sizes)})
    for t in held:
        if t in cut_graph.joined and t not in now:
            for tensors in dict.fromkeys(((t,), _connected(graph, t, cut_graph.groupable))):
                yield decision.grouped({**now, **dict.fromkeys(tensors, cut_graph.joined[t])})


def sizes_of(channels: int, share: int) -> Sizes | None:
    """Channels of each of about `share` equal groups, multiples of `MIN_GROUP`. None when there are too few channels."""
    group = -(-channels // share)
    group = -(-group // MIN_GROUP) * MIN_GROUP
    if group >= channels or -(-channels // group) < share - share // 3:
        return None
    return equal_groups(channels, group)


def _connected(graph: Graph, tensor: int, cuttable: frozenset[int]) -> tuple[int, ...]:
    """`tensor` and the groupable tensors of as many channels that it is connected to through operators."""
    producers, consumers = graph.producers(), graph.consumers()
    channels = graph.tensors[tensor].shape[-1]
    connected = {tensor}
    todo = [tensor]
    while todo:
        t = todo.pop()
        near = [graph.operators[k].outputs[0] for k in consumers.get(t, ())]
        if t in producers:
            near += list(graph.operators[producers[t]].inputs)
        for n in near:
            if n in cuttable and n not in connected and graph.tensors[n].shape[-1] == channels:
                connected.add(n)
                todo.append(n)
    return tuple(sorted(connected))
