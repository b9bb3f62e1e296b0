"""What if operators ran whole, and only their order and the rewriting of concatenations saved memory?

Serenity (arXiv 2003.02369) does that. Here it is the baseline that shows what cutting into rows adds.

A task is an operator with all its rows. With rewriting, it can also be the part of an operator that reads one branch. A
tensor lives from the first task that writes it to the last one that reads it.

Rewriting merges tasks in two cases:

* A concatenation before a convolution is gone, and a convolution of each branch adds to the same int32 sums. These
  convolutions are one task: they take turns row by row, so only one row of sums lives at a time.
* An element-wise operator reads one tensor, and another element-wise operator is the only reader of its output. It is
  computed within that reader.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tflm_split import kinds
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.lives import live_peak
from tflm_split.schedule.optimal_order import DEFAULT_STATES, Order, OrderProblem, Task, least_live_order
from tflm_split.schedule.orders import tuck_aliases
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.split.channel_rules import Sizes, groupable, joined
from tflm_split.split.regions import Cut, Split, SplitOptions, cut_operators, fit
from tflm_split.split.row_op import RowOp


@dataclass(frozen=True, slots=True)
class WholeOperators:
    """`steps[k]` are the steps of task k. `order` is the best order of the tasks that the search reached."""

    split: Split
    step_graph: StepGraph
    steps: tuple[tuple[int, ...], ...]
    problem: OrderProblem
    order: Order

    @property
    def schedule(self) -> Schedule:
        """The steps of all tasks in order. Only for networks without stock operators."""
        assert not self.split.stock
        steps = [s for k in self.order.tasks for s in self.steps[k]]
        last = {self.step_graph.steps[s].node: position for position, s in enumerate(steps)}
        nodes = tuck_aliases(self.split, _with_aliases(self.split, sorted(last, key=lambda n: last[n])))
        return Schedule(nodes, (0,), tuple(steps), live_peak(self.step_graph, steps))


def whole_operators(
    split: Split, in_place: bool = False, rewritten: bool = False, states: int = DEFAULT_STATES
) -> WholeOperators:
    """The best order of `split`'s operators that a search of `states` sets of executed tasks reaches.

    `in_place`: an output may be written over inputs that die. `rewritten`: the parts of an operator may run at different
    times, and an element-wise operator may be computed within its reader.
    """
    step_graph = build_step_graph(split)
    tasks = tuple(_tasks(split, step_graph, rewritten))
    problem = _problem(split, step_graph, tasks, in_place)
    return WholeOperators(split, step_graph, tasks, problem, least_live_order(problem, states))


def _tasks(split: Split, step_graph: StepGraph, rewritten: bool) -> Iterator[tuple[int, ...]]:
    """The steps of each task, in an order in which they can run."""
    fused_into = _fused_readers(split, step_graph) if rewritten else {}
    steps_of_task: dict[tuple[int, int], list[int]] = {}
    for s, step in enumerate(step_graph.steps):
        if s not in step_graph.needed:
            continue
        op = step.row_op
        while op in fused_into:
            op = fused_into[op]
        node = step.node if op is None else split.row_ops[op].source
        together = not rewritten or op is None or kinds.of(split.row_ops[op].kind).sums
        steps_of_task.setdefault((node, -1 if together or op is None else op), []).append(s)
    for steps in steps_of_task.values():
        yield tuple(sorted(steps, key=lambda s: (step_graph.steps[s].row, s)))


def _fused_readers(split: Split, step_graph: StepGraph) -> dict[int | None, int]:
    """Element-wise row op of one tensor -> the element-wise row op of another operator that is the only reader of its output."""
    readers: dict[int, set[int | None]] = {}
    for step in step_graph.steps:
        for p in step.reads:
            readers.setdefault(step_graph.pieces[p].storage, set()).add(step.row_op)
    kept = {step_graph.pieces[p].storage for p in step_graph.final}
    fused_into: dict[int | None, int] = {}
    for i, op in enumerate(split.row_ops):
        made = split.storages.storage_of[op.output]
        readers_of_op = readers.get(made, set())
        if made in kept or len(readers_of_op) != 1 or len(op.reads) != 1 or not _row_by_row(op):
            continue
        (reader,) = readers_of_op
        if reader is not None and _row_by_row(split.row_ops[reader]) and split.row_ops[reader].source != op.source:
            fused_into[i] = reader
    return fused_into


def _row_by_row(op: RowOp) -> bool:
    """Whether each output row may be written in place over any row that it is made from, as for element-wise operators."""
    return op.sums is None and bool(op.reads) and all(read.may_be_overwritten for read in op.reads)


def _problem(split: Split, step_graph: StepGraph, tasks: Sequence[Sequence[int]], in_place: bool) -> OrderProblem:
    """Tasks over storages, with the bytes of each storage."""
    pieces, steps = step_graph.pieces, step_graph.steps
    task_of = {s: k for k, of_task in enumerate(tasks) for s in of_task}
    sizes: dict[int, int] = {}
    for piece in pieces:
        sizes[piece.storage] = sizes.get(piece.storage, 0) + piece.bytes
    problem_tasks = []
    for k, of_task in enumerate(tasks):
        needs = {task_of[d] for s in of_task for d in steps[s].depends if d in task_of} - {k}
        reads = {pieces[p].storage for s in of_task for p in steps[s].reads}
        writes = {pieces[p].storage for s in of_task for p in steps[s].writes}
        passing = _passing_bytes(step_graph, of_task)
        sizes |= passing
        over = _written_over(step_graph, of_task, passing) if in_place else {}
        problem_tasks.append(Task(frozenset(needs), frozenset(reads), frozenset(writes), over))
    initial = frozenset(pieces[p].storage for p in step_graph.initial)
    final = frozenset(pieces[p].storage for p in step_graph.final)
    bytes_ = tuple(sizes.get(storage, 0) for storage in range(max(sizes, default=-1) + 1))
    return OrderProblem(tuple(problem_tasks), bytes_, initial, final)


def _passing_bytes(step_graph: StepGraph, steps: Sequence[int]) -> dict[int, int]:
    """Storage -> most bytes of it that live at once, for storages that live within one task.

    `steps`, those of the task, write and read them, and no other step does: sums, and rows passed on to a fused reader.
    """
    pieces, inside = step_graph.pieces, set(steps)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for position, s in enumerate(steps):
        for p in step_graph.steps[s].writes:
            first.setdefault(p, position)
        last |= dict.fromkeys(step_graph.steps[s].reads, position)
    outer = {pieces[p].storage for p in first if p in step_graph.final or not inside.issuperset(step_graph.readers[p])}
    changes: dict[int, dict[int, int]] = {}
    for p, position in first.items():
        if p not in last or pieces[p].storage in outer or not inside.issuperset(step_graph.producers[p]):
            continue
        of_storage = changes.setdefault(pieces[p].storage, {})
        for at, bytes_ in ((position, pieces[p].bytes), (last[p] + 1, -pieces[p].bytes)):
            of_storage[at] = of_storage.get(at, 0) + bytes_
    return {storage: max(accumulate(change[at] for at in sorted(change))) for storage, change in changes.items()}


def _written_over(step_graph: StepGraph, steps: Sequence[int], passing: Collection[int]) -> dict[int, int]:
    """Storage -> bytes of it that the rows written by `steps` may take, if it dies with their task.

    A row dies with the last step that reads it. If that step may write in place, the shared bytes are free while it runs.
    Storages of `passing` live within the task and do not count.
    """
    pieces = step_graph.pieces
    last = {p: position for position, s in enumerate(steps) for p in step_graph.steps[s].reads}
    last = {p: position for p, position in last.items() if pieces[p].storage not in passing}
    written = 0
    most_ahead = dict.fromkeys({pieces[p].storage for p in last}, 0)
    """By storage: the most bytes that were written and not yet covered by rows of it that died."""
    died = dict.fromkeys(most_ahead, 0)
    for position, s in enumerate(steps):
        step = step_graph.steps[s]
        new = [p for p in step.writes if step_graph.producers[p][0] == s and pieces[p].storage not in passing]
        written += sum(pieces[p].bytes for p in new)
        dying = [p for p in step.reads if last.get(p) == position]
        for storage in most_ahead:
            over = next(
                (o.shared_bytes for o in step.overlaps if o.read in dying and pieces[o.read].storage == storage), 0
            )
            most_ahead[storage] = max(most_ahead[storage], written - over - died[storage])
        for p in dying:
            died[pieces[p].storage] += pieces[p].bytes
    return {storage: written - ahead for storage, ahead in most_ahead.items() if ahead < written}


def _with_aliases(split: Split, nodes: Sequence[int]) -> list[int]:
    """`nodes`, and every operator without steps right before its first reader."""
    order = list(nodes)
    producers = split.graph.producers()
    for op in reversed(split.graph.operators):
        if op.index not in order:
            readers = [k for k, n in enumerate(order) if _reads_from(split.graph, producers, n, op.index)]
            order.insert(min(readers, default=len(order)), op.index)
    return order


def _reads_from(graph: Graph, producers: Mapping[int, int], reader: int, maker: int) -> bool:
    """Whether `reader` reads what `maker` writes."""
    return any(producers.get(t) == maker for t in graph.operators[reader].inputs)


def rewritten_order(graph: Graph, in_place: bool = False, states: int = DEFAULT_STATES) -> WholeOperators:
    """The best order when each concatenation is copied, written in place or left out, whichever helps.

    A local search changes one concatenation at a time. It starts twice: with all concatenations, and with none. Operators
    that may be fused into their reader always are, which never costs memory: their output is as large as their input.
    """
    cut = cut_operators(graph)
    ways = {t: _ways(graph, cut, t, sizes) for t, sizes in joined(graph, cut.pieces).items()}
    best = whole_operators(fit(cut, SplitOptions()), in_place, True, states)
    has_concatenation = any(op.kind == "CONCATENATION" for op in graph.operators)
    for joined_in_place in (False, True) if has_concatenation else ():
        for end in (0, -1):
            chosen = {t: of_tensor[end] for t, of_tensor in ways.items()}
            now = _best_order(cut, joined_in_place, chosen, in_place, states)
            improved = True
            while improved:
                improved = False
                for t, of_tensor in ways.items():
                    for way in of_tensor:
                        if way == chosen[t]:
                            continue
                        other = _best_order(cut, joined_in_place, {**chosen, t: way}, in_place, states)
                        if other and (now is None or other.order.peak_bytes < now.order.peak_bytes):
                            now, chosen, improved = other, {**chosen, t: way}, True
            if now and now.order.peak_bytes < best.order.peak_bytes:
                best = now
    return best


def _ways(graph: Graph, cut: Cut, tensor: int, sizes: Sizes) -> list[dict[int, Sizes]]:
    """Channel groups to try for a concatenation, as tensor -> sizes.

    First none; then the concatenation alone; then also the tensors that follow it channel by channel, one operator further
    each time.
    """
    cuttable = groupable(graph, cut.pieces)
    consumers = graph.consumers()
    ways = [{}, {tensor: sizes}]
    front = [tensor]
    while front:
        front = [graph.operators[k].outputs[0] for t in front for k in consumers.get(t, ())]
        front = [t for t in front if t in cuttable and graph.tensors[t].shape[-1] == sum(sizes)]
        # Groups do not pass a convolution: each of its output channels needs all groups.
        producers = graph.producers()
        front = [t for t in front if graph.operators[producers[t]].kind != "CONV_2D"]
        if front:
            ways.append({**ways[-1], **dict.fromkeys(front, sizes)})
    return ways


def _best_order(
    cut: Cut, joined_in_place: bool, chosen: Mapping[int, Mapping[int, Sizes]], in_place: bool, states: int
) -> WholeOperators | None:
    """The best order under these channel groups. None when they do not fit the operators."""
    groups = {t: sizes for way in chosen.values() for t, sizes in way.items()}
    try:
        split = fit(cut, SplitOptions(concatenate_in_place=joined_in_place, channel_groups=groups))
        return whole_operators(split, in_place, True, states)
    except Refusal:
        return None
