"""Schedule -> plan: places its pieces, and emits the program of every region.

This file makes one plan. `search/candidates.py` makes several and keeps the best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from tflm_split.errors import InternalError, Refusal
from tflm_split.ir.graph import Graph
from tflm_split.lower.emit import Region, border, emit_region, piece_index, region_runs, tensor_offset
from tflm_split.lower.place import SLOW_BASE, Allowance, Given, StorageRules, place
from tflm_split.plan.problem import Layout
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.lives import TENSOR_ALIGN, Bodies
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.sizes import counted, format_bytes
from tflm_split.split.operators.state import STATES
from tflm_split.split.regions import Split


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """All decisions about a network: regions with their programs, and a head offset for every tensor that TFLM sees."""

    split: Split
    schedule: Schedule
    regions: tuple[Region, ...]
    offsets: dict[int, int]
    layout: Layout
    planned_head_bytes: int
    lower_bound_bytes: int
    """Bytes alive in the worst step of this order. Bytes that rows share are counted once."""
    step_graph: StepGraph = field(repr=False)
    """The steps and pieces that `schedule` refers to."""
    bodies: Bodies = field(repr=False)
    """The bodies that `layout` places, with the lifetime of every piece."""
    slow_bytes: int = 0
    """What it needs of a slow memory, beside the head."""
    position_offset: int | None = None
    """Where in the head the operator says which rows of a streamed output are there (`POSITION`); None without one."""

    def __repr__(self) -> str:
        steps, regions = len(self.schedule.steps), counted(len(self.regions), "region")
        return f"Plan({steps:,} steps, {regions}, head {format_bytes(self.planned_head_bytes)})"


def visible_storages(split: Split, runs: Sequence[Sequence[int]]) -> frozenset[int]:
    """Storages with a tensor that TFLM sees: of the interface, of a stock operator, or on a region's border."""
    graph = split.graph
    tensors = {*graph.inputs, *graph.outputs}
    for k in split.stock:
        tensors.update(t for t in (*graph.operators[k].inputs, *graph.operators[k].outputs) if t >= 0)
    for nodes in runs:
        for side in border(graph, nodes):
            tensors.update(side)
    return frozenset(split.storages.storage_of[t] for t in sorted(tensors) if t in split.storages.storage_of)


def _whole_at(
    split: Split, runs: Sequence[Sequence[int]], positions: Sequence[Sequence[int]]
) -> dict[int, tuple[int, ...]]:
    """Storage -> positions at which all its rows need their bytes, even rows that nobody reads.

    TFLM holds several tensors at once at these moments: the model's inputs before the first step, a region's inputs when
    it starts, and its outputs when it ends. A single input is different: rows of it that nobody reads may be overwritten
    at once.
    """
    storage_of = split.storages.storage_of
    positions_of: dict[int, list[int]] = {}
    if len(split.graph.inputs) > 1:
        for t in split.graph.inputs:
            if t in storage_of:
                positions_of.setdefault(storage_of[t], []).append(0)
    for nodes, at in zip(runs, positions, strict=True):
        if at:
            inputs, outputs = border(split.graph, nodes)
            for tensors, position in ((inputs if len(inputs) > 1 else (), at[0]), (outputs, at[-1])):
                for t in tensors:
                    positions_of.setdefault(storage_of[t], []).append(position)
    return {storage: tuple(sorted(set(at))) for storage, at in positions_of.items()}


RESERVED_SHARE, MOST_RESERVED_SHARE = 0.015, 0.05
"""The rows of one call keep their bytes all the time where they are at most the first share of the live peak.

Bytes that are taken and freed again at one address with every call are hard to pack around. Up to the second share, that is
tried where the layout without it is more than `RESERVED_SHARE` above the live peak.
"""


def _reserved(split: Split, schedule: Schedule, share: float) -> dict[int, tuple[int, ...]]:
    """In a streamed network: storage -> the first and the last position at which its bytes are taken, if these are few.

    That is so for the rows of a call up to `share` of the live peak, and for outputs up to `RESERVED_SHARE`: between the
    calls, these hold the last results.
    """
    streams = [op for op in split.row_ops if op.fetches or op.emits]
    if not streams:
        return {}
    storage_of, ends = split.storages.storage_of, (0, len(schedule.steps) - 1)
    of_call = {op.reads[0].tensor if op.fetches else op.output: op.rows_of_call for op in streams}
    small = [t for t, shape in of_call.items() if shape.bytes <= share * schedule.live_peak_bytes]
    outputs = [t for t in split.graph.outputs if t in storage_of and t not in of_call]
    if sum(split.graph.tensors[t].bytes for t in outputs) <= max(
        RESERVED_SHARE * schedule.live_peak_bytes, TENSOR_ALIGN
    ):
        small += outputs
    return {storage_of[t]: ends for t in small}


def _both(a: Mapping[int, Sequence[int]], b: Mapping[int, Sequence[int]]) -> dict[int, tuple[int, ...]]:
    """The positions of both, by storage."""
    return {storage: tuple(sorted({*a.get(storage, ()), *b.get(storage, ())})) for storage in (*a, *b)}


def compile_schedule(
    split: Split,
    step_graph: StepGraph,
    schedule: Schedule,
    effort: int,
    allowance: Allowance | None = None,
    tick: Tick = no_tick,
    given: Given | None = None,
) -> Plan:
    """Addresses and programs for a schedule. Rows may be moved at run time if there is an `allowance`, for what it allows.

    With a `given` layout nothing is searched. Raises InternalError when it is none of this schedule.
    """
    _check_order(split.graph, schedule.nodes)
    runs = region_runs(schedule.nodes, split.stock)
    contiguous = visible_storages(split, runs) | step_graph.scratch
    region_of = {n: r for r, nodes in enumerate(runs) for n in nodes}
    positions: list[list[int]] = [[] for _ in runs]
    for position, s in enumerate(schedule.steps):
        node = step_graph.steps[s].node
        if node in region_of:
            positions[region_of[node]].append(position)
    steps_of = [[schedule.steps[position] for position in of_region] for of_region in positions]
    whole_at = _whole_at(split, runs, positions)
    inputs = frozenset(split.storages.storage_of[t] for t in split.graph.inputs if t in split.storages.storage_of)
    movable_inputs = inputs if len(runs) == 1 and not split.stock else frozenset()
    few, most = (_reserved(split, schedule, share) for share in (RESERVED_SHARE, MOST_RESERVED_SHARE))
    rules = StorageRules(contiguous, _both(whole_at, few), movable_inputs)
    bodies, layout = place(split, step_graph, schedule, rules, effort, allowance, tick, given)
    if given is None and most != few and layout.head_bytes > (1 + RESERVED_SHARE) * schedule.live_peak_bytes:
        rules = replace(rules, whole_at=_both(whole_at, most))
        other = place(split, step_graph, schedule, rules, effort, allowance, tick)
        bodies, layout = min((bodies, layout), other, key=lambda placed: placed[1].head_bytes)
    _check_states(split, step_graph, steps_of, contiguous)
    in_slow = [a + b.bytes - SLOW_BASE for a, b in zip(layout.addresses, bodies.bodies, strict=True) if a >= SLOW_BASE]
    slow_bytes = -(-max(in_slow, default=0) // TENSOR_ALIGN) * TENSOR_ALIGN
    regions = tuple(
        emit_region(split, step_graph, nodes, steps, bodies, layout, contiguous, of_region[0], slow_bytes)
        for nodes, steps, of_region in zip(runs, steps_of, positions, strict=True)
        if steps
    )
    first = piece_index(step_graph)
    visible = sorted(t for t in split.storages.storage_of if _is_visible(split, regions, t))
    offsets = {t: tensor_offset(split, bodies, layout, first, t) for t in visible}
    offsets = {t: offset for t, offset in offsets.items() if offset < SLOW_BASE}
    ends = [offset + split.graph.tensors[t].bytes for t, offset in offsets.items()]
    ends += [r.workspace_offset + r.program.workspace_bytes for r in regions]
    ends += [_scratch_end(step_graph, bodies, layout, first[s]) for s in sorted(step_graph.scratch)]
    head = max((-(-end // TENSOR_ALIGN) * TENSOR_ALIGN for end in ends), default=0)
    bound = min(schedule.live_peak_bytes, layout.lower_bound_bytes)
    says_position: int | None = None
    if any(op.emits for op in split.row_ops):
        says_position, head = head, head + TENSOR_ALIGN
    return Plan(split, schedule, regions, offsets, layout, head, bound, step_graph, bodies, slow_bytes, says_position)


def _check_order(graph: Graph, nodes: Sequence[int]) -> None:
    """Raise InternalError if an operator runs before one that makes an operand of it.

    A region is a run of `nodes`. So nothing outside of a region can stand between its operators in an order that passes.
    """
    producers, position = graph.producers(), {n: k for k, n in enumerate(nodes)}
    for n in nodes:
        op = graph.operators[n]
        for maker in (producers[t] for t in op.inputs if t in producers):
            if position.get(maker, -1) > position[n]:
                raise InternalError(f"{graph.label(op)} would run before {graph.label(graph.operators[maker])}")


def _check_states(
    split: Split, step_graph: StepGraph, steps_of: Sequence[Sequence[int]], contiguous: AbstractSet[int]
) -> None:
    """Raise Refusal where two regions touch one state: each keeps its own. Or where TFLM would have to see one."""
    steps, graph = step_graph.steps, split.graph
    made = [k for k in sorted(split.stock) if graph.states and graph.operators[k].rewrite == STATES]
    seen_whole = [p for p in step_graph.remembered if step_graph.pieces[p].storage in contiguous]
    if made or seen_whole:
        raise Refusal("state", "what it remembers is needed by an operator that stays stock")
    seen: dict[int, int] = {}
    for region, of_region in enumerate(steps_of):
        pieces = {p for s in of_region for p in (*steps[s].reads, *steps[s].writes) if p in step_graph.remembered}
        for number in sorted({step_graph.remembered[p].state for p in pieces}):
            if seen.setdefault(number, region) != region:
                name = split.graph.tensors[split.graph.states[number].before].name
                raise Refusal("state", f"what it remembers as {name!r} is needed in two regions")


def _scratch_end(step_graph: StepGraph, bodies: Bodies, layout: Layout, piece: int) -> int:
    place = bodies.placements[piece]
    return layout.addresses[place.body] + step_graph.pieces[piece].bytes


def _is_visible(split: Split, regions: Sequence[Region], tensor: int) -> bool:
    graph = split.graph
    return (
        tensor in graph.inputs
        or tensor in graph.outputs
        or any(tensor in r.inputs or tensor in r.outputs for r in regions)
        or any(tensor in (*graph.operators[k].inputs, *graph.operators[k].outputs) for k in split.stock)
    )
