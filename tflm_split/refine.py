"""From the bottleneck outwards: which tensors should be cut along channels too?

Starts from a schedule, looks at the step where most bytes live, and tries to cut each tensor that lives there, and those
connected to it channel by channel, into groups of several sizes. The change that lowers the peak most is kept, and the
search goes on from the new bottleneck, until nothing helps or the effort is spent (MoteNN's loop, on rows and channels).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.schedule.cuts import Schedule, best_cuts
from tflm_split.schedule.lives import lives, live_bytes
from tflm_split.schedule.step_graph import StepGraph, build_step_graph
from tflm_split.split.channel_groups import Sizes, equal_groups, groupable
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.split.row_op import RowOp

Splitter = Callable[[SplitOptions], Split]

SHARES = (2, 3, 4, 6, 8, 12, 16)
"""Into how many groups a tensor may be cut."""
MIN_GROUP = 4
"""Channels: the kernels work on four at a time."""
WORTH_A_FINER_CUT = 0.995
"""More groups mean more and shorter kernel calls: they must lower the peak below this share of what fewer do."""


@dataclass(frozen=True, slots=True)
class Refined:
    """A split, its steps and the best schedule found for it."""

    options: SplitOptions
    split: Split
    step_graph: StepGraph
    schedule: Schedule

    @property
    def live_peak_bytes(self) -> int:
        return self.schedule.live_peak_bytes


def refine(start: Refined, splitter: Splitter, evaluations: int) -> Refined:
    """`start`, or what at most `evaluations` tries of other channel groups found to be better."""
    best = start
    ungrouped = splitter(replace(start.options, channel_groups={}))
    cuttable = groupable(ungrouped.graph, _by_operator(ungrouped.row_ops))
    tried: set[tuple[tuple[int, Sizes], ...]] = set()
    left = evaluations
    while left > 0:
        found: Refined | None = None
        for groups in _moves(best, ungrouped.graph, cuttable):
            key = tuple(sorted(groups.items()))
            if key in tried or left <= 0:
                continue
            tried.add(key)
            left -= 1
            other = _evaluated(best, splitter, groups)
            if other and (found is None or other.live_peak_bytes < WORTH_A_FINER_CUT * found.live_peak_bytes):
                found = other
        if found is None or found.live_peak_bytes >= best.live_peak_bytes:
            return best
        best = found
    return best


def _evaluated(base: Refined, splitter: Splitter, groups: Mapping[int, Sizes]) -> Refined | None:
    options = replace(base.options, channel_groups=dict(groups))
    try:
        split = splitter(options)
    except Refusal:
        return None
    if split.stock != base.split.stock:
        return None
    step_graph = build_step_graph(split)
    return Refined(options, split, step_graph, best_cuts(step_graph, base.schedule.nodes, split.stock))


def _moves(base: Refined, graph: Graph, cuttable: frozenset[int]) -> Iterable[Mapping[int, Sizes]]:
    """Channel groups to try next, coarse ones first."""
    now = base.options.channel_groups
    held = [t for t in _held_at_peak(base, graph) if t in cuttable]
    connected = [_connected(graph, t, cuttable) for t in held]
    for share in SHARES:
        seen: set[tuple[int, ...]] = set()
        for t, others in zip(held, connected, strict=True):
            for tensors in ((t,), others):
                sizes = _sizes(graph.tensors[t].shape[-1], share)
                if tensors in seen or sizes is None or len(sizes) <= len(now.get(t, (1,))):
                    continue
                seen.add(tensors)
                yield {**now, **dict.fromkeys(tensors, sizes)}


def _sizes(channels: int, share: int) -> Sizes | None:
    """About `share` groups of whole multiples of `MIN_GROUP` channels; None when there are not that many channels."""
    group = -(-channels // share)
    group = -(-group // MIN_GROUP) * MIN_GROUP
    if group >= channels or -(-channels // group) < share - share // 3:
        return None
    return equal_groups(channels, group)


def _held_at_peak(base: Refined, graph: Graph) -> list[int]:
    """Tensors of which the most crowded step keeps rows, most bytes first; a group of channels stands for its tensor."""
    step_graph, order = base.step_graph, base.schedule.steps
    alive = lives(step_graph, order)
    crowd = live_bytes(step_graph, len(order), alive)
    at = int(np.argmax(crowd))
    storages = base.split.storages.storages
    names = {tensor.name: tensor.index for tensor in graph.tensors}
    held: dict[int, int] = {}
    for p, (start, stop) in alive.items():
        piece = step_graph.pieces[p]
        if not start <= at < stop or piece.storage >= len(storages):
            continue
        for t in storages[piece.storage].tensors:
            if t >= len(graph.tensors):
                t = names[base.split.graph.tensors[t].name.rsplit("[", 1)[0]]
            held[t] = held.get(t, 0) + piece.bytes
    return sorted(held, key=lambda t: (-held[t], t))


def _connected(graph: Graph, tensor: int, cuttable: frozenset[int]) -> tuple[int, ...]:
    """Tensors of the same channel count that operators reach from `tensor` through cuttable ones, itself among them."""
    producers, consumers = graph.producers(), graph.consumers()
    channels = graph.tensors[tensor].shape[-1]
    found = {tensor}
    todo = [tensor]
    while todo:
        t = todo.pop()
        near = [graph.operators[k].outputs[0] for k in consumers.get(t, ())]
        if t in producers:
            near += list(graph.operators[producers[t]].inputs)
        for n in near:
            if n in cuttable and n not in found and graph.tensors[n].shape[-1] == channels:
                found.add(n)
                todo.append(n)
    return tuple(sorted(found))


def _by_operator(row_ops: Sequence[RowOp]) -> dict[int, tuple[RowOp, ...]]:
    found: dict[int, tuple[RowOp, ...]] = {}
    for op in row_ops:
        found[op.source] = (*found.get(op.source, ()), op)
    return found
