"""What if operators ran whole, one after the other, and only their order and the rewriting of concatenations saved memory?

That is what Serenity (arXiv 2003.02369) does; here it is the measure of what cutting into rows adds. A task is an operator
with all its rows, or, where it is rewritten, a part of it that reads one branch; a tensor is there from the first task that
writes it to the last one that reads it. Where a concatenation before a convolution has vanished, the convolutions that add
up its parts are one task: they take turns row by row, so that of their int32 sums one row exists. In the same way, rewriting
computes an element-wise function of one tensor within the element-wise operator that is its only reader.
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
from tflm_split.schedule.step_graph import StepGraph, build_step_graph
from tflm_split.split.channel_rules import Sizes, groupable, joined
from tflm_split.split.regions import Cut, Split, SplitOptions, cut_operators, fit
from tflm_split.split.row_op import RowOp


@dataclass(frozen=True, slots=True)
class WholeOperators:
    """Tasks as `steps` of `step_graph`, and the order of least peak found for them."""

    split: Split
    step_graph: StepGraph
    steps: tuple[tuple[int, ...], ...]
    problem: OrderProblem
    order: Order

    @property
    def schedule(self) -> Schedule:
        """The steps of all tasks in order; for a network without stock operators."""
        assert not self.split.stock
        steps = [s for k in self.order.tasks for s in self.steps[k]]
        last = {self.step_graph.steps[s].node: position for position, s in enumerate(steps)}
        nodes = tuck_aliases(self.split, _with_aliases(self.split, sorted(last, key=lambda n: last[n])))
        return Schedule(nodes, (0,), tuple(steps), live_peak(self.step_graph, steps))


def whole_operators(
    split: Split, in_place: bool = False, rewritten: bool = False, states: int = DEFAULT_STATES
) -> WholeOperators:
    """The best order of `split`'s operators that `states` sets could find.

    `in_place`: outputs may be written over inputs that die; `rewritten`: what an operator was cut into may run at different
    times, and an element-wise function of one tensor within its reader.
    """
    step_graph = build_step_graph(split)
    tasks = tuple(_tasks(split, step_graph, rewritten))
    problem = _problem(split, step_graph, tasks, in_place)
    return WholeOperators(split, step_graph, tasks, problem, least_live_order(problem, states))


def _tasks(split: Split, step_graph: StepGraph, rewritten: bool) -> Iterator[tuple[int, ...]]:
    """Steps that run as one, in an order in which they can."""
    within = _computed_within(split, step_graph) if rewritten else {}
    found: dict[tuple[int, int], list[int]] = {}
    for s, step in enumerate(step_graph.steps):
        if s not in step_graph.needed:
            continue
        op = step.row_op
        while op in within:
            op = within[op]
        node = step.node if op is None else split.row_ops[op].source
        together = not rewritten or op is None or kinds.of(split.row_ops[op].kind).sums
        found.setdefault((node, -1 if together or op is None else op), []).append(s)
    for steps in found.values():
        yield tuple(sorted(steps, key=lambda s: (step_graph.steps[s].row, s)))


def _computed_within(split: Split, step_graph: StepGraph) -> dict[int | None, int]:
    """Row op that makes each row of one row of one tensor -> that of another operator, alike but for the number of tensors,
    which alone reads what it makes.
    """
    readers: dict[int, set[int | None]] = {}
    for step in step_graph.steps:
        for p in step.reads:
            readers.setdefault(step_graph.pieces[p].storage, set()).add(step.row_op)
    kept = {step_graph.pieces[p].storage for p in step_graph.final}
    found: dict[int | None, int] = {}
    for i, op in enumerate(split.row_ops):
        made = split.storages.storage_of[op.output]
        found_readers = readers.get(made, set())
        if made in kept or len(found_readers) != 1 or len(op.reads) != 1 or not _row_by_row(op):
            continue
        (reader,) = found_readers
        if reader is not None and _row_by_row(split.row_ops[reader]) and split.row_ops[reader].source != op.source:
            found[i] = reader
    return found


def _row_by_row(op: RowOp) -> bool:
    return op.sums is None and bool(op.reads) and all(read.may_be_overwritten for read in op.reads)


def _problem(split: Split, step_graph: StepGraph, tasks: Sequence[Sequence[int]], in_place: bool) -> OrderProblem:
    pieces, steps = step_graph.pieces, step_graph.steps
    task_of = {s: k for k, found in enumerate(tasks) for s in found}
    sizes: dict[int, int] = {}
    for piece in pieces:
        sizes[piece.storage] = sizes.get(piece.storage, 0) + piece.bytes
    made = []
    for k, found in enumerate(tasks):
        needs = {task_of[d] for s in found for d in steps[s].depends if d in task_of} - {k}
        reads = {pieces[p].storage for s in found for p in steps[s].reads}
        writes = {pieces[p].storage for s in found for p in steps[s].writes}
        inner = _inner(step_graph, found)
        sizes |= inner
        over = _written_over(step_graph, found, inner) if in_place else {}
        made.append(Task(frozenset(needs), frozenset(reads), frozenset(writes), over))
    initial = frozenset(pieces[p].storage for p in step_graph.initial)
    final = frozenset(pieces[p].storage for p in step_graph.final)
    bytes_ = tuple(sizes.get(storage, 0) for storage in range(max(sizes, default=-1) + 1))
    return OrderProblem(tuple(made), bytes_, initial, final)


def _inner(step_graph: StepGraph, steps: Sequence[int]) -> dict[int, int]:
    """Storage -> most bytes of it there at once, of those that `steps` both fill and use up: sums, rows that are passed on."""
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
    return {storage: max(accumulate(found[at] for at in sorted(found))) for storage, found in changes.items()}


def _written_over(step_graph: StepGraph, steps: Sequence[int], inner: Collection[int]) -> dict[int, int]:
    """Storage -> bytes that the rows written by `steps` may take of those that are read here for the last time.

    A row can go once the last step that reads it begins to write, if that may run over it, else when it is done. What is
    `inner` to the steps takes no part.
    """
    pieces = step_graph.pieces
    last = {p: position for position, s in enumerate(steps) for p in step_graph.steps[s].reads}
    last = {p: position for p, position in last.items() if pieces[p].storage not in inner}
    written, most = 0, dict.fromkeys({pieces[p].storage for p in last}, 0)
    gone = dict.fromkeys(most, 0)
    for position, s in enumerate(steps):
        step = step_graph.steps[s]
        new = [p for p in step.writes if step_graph.producers[p][0] == s and pieces[p].storage not in inner]
        written += sum(pieces[p].bytes for p in new)
        dying = [p for p in step.reads if last.get(p) == position]
        for storage in most:
            over = next(
                (o.shared_bytes for o in step.overlaps if o.read in dying and pieces[o.read].storage == storage), 0
            )
            most[storage] = max(most[storage], written - over - gone[storage])
        for p in dying:
            gone[pieces[p].storage] += pieces[p].bytes
    return {storage: written - high for storage, high in most.items() if high < written}


def _with_aliases(split: Split, nodes: Sequence[int]) -> list[int]:
    """`nodes` and those without steps, each of the latter before its first reader."""
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
    """The best order with concatenations copied, written in place or done without, each as it helps.

    What may be computed within its reader always is: it makes as many bytes as it reads.
    Searched from two ends, all of them there and none of them, one concatenation at a time.
    """
    cut = cut_operators(graph)
    ways = {t: _ways(graph, cut, t, sizes) for t, sizes in joined(graph, cut.pieces).items()}
    best = whole_operators(fit(cut, SplitOptions()), in_place, True, states)
    has_concatenation = any(op.kind == "CONCATENATION" for op in graph.operators)
    for joined_in_place in (False, True) if has_concatenation else ():
        for end in (0, -1):
            chosen = {t: found[end] for t, found in ways.items()}
            now = _priced(cut, joined_in_place, chosen, in_place, states)
            improved = True
            while improved:
                improved = False
                for t, found in ways.items():
                    for way in found:
                        if way == chosen[t]:
                            continue
                        other = _priced(cut, joined_in_place, {**chosen, t: way}, in_place, states)
                        if other and (now is None or other.order.peak_bytes < now.order.peak_bytes):
                            now, chosen, improved = other, {**chosen, t: way}, True
            if now and now.order.peak_bytes < best.order.peak_bytes:
                best = now
    return best


def _ways(graph: Graph, cut: Cut, tensor: int, sizes: Sizes) -> list[dict[int, Sizes]]:
    """Channel groups to try for a concatenation: none; itself; and also what follows channel by channel, ever further."""
    cuttable = groupable(graph, cut.pieces)
    consumers = graph.consumers()
    found = [{}, {tensor: sizes}]
    front = [tensor]
    while front:
        front = [graph.operators[k].outputs[0] for t in front for k in consumers.get(t, ())]
        front = [t for t in front if t in cuttable and graph.tensors[t].shape[-1] == sum(sizes)]
        # Not through a convolution of as many channels: its output has no parts of its own.
        producers = graph.producers()
        front = [t for t in front if graph.operators[producers[t]].kind != "CONV_2D"]
        if front:
            found.append({**found[-1], **dict.fromkeys(front, sizes)})
    return found


def _priced(
    cut: Cut, joined_in_place: bool, chosen: Mapping[int, Mapping[int, Sizes]], in_place: bool, states: int
) -> WholeOperators | None:
    """The best order under these channel groups; None when they do not fit the operators."""
    groups = {t: sizes for way in chosen.values() for t, sizes in way.items()}
    try:
        split = fit(cut, SplitOptions(concatenate_in_place=joined_in_place, channel_groups=groups))
        return whole_operators(split, in_place, True, states)
    except Refusal:
        return None
