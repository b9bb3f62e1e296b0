"""What lies where in the head, and when? Rectangles of bytes against time, of a model as it is and of one that is split.

address
   ^   +--------------+
   |   |  conv2       |           Each rectangle is a tensor, some rows of one, an accumulator or scratch. It is as
   | +-+-----+--------+---+       high as its bytes and as wide as its life. No two overlap, except where a row is
   | |input  |  conv1     |       written over one that dies in the same step.
   +-+-------+------------+--> step
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tflm_split.analysis.tflm_head import scratch_of
from tflm_split.analysis.tflm_planner import head_buffers, operator_moments, place
from tflm_split.ir.graph import Graph, Model
from tflm_split.lower.compile import Plan
from tflm_split.plan.problem import Move
from tflm_split.report.bottleneck import holder, live_bytes_per_step
from tflm_split.tflite.reader import all_offsets


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Bytes [address, address + bytes) of the head, taken in steps [start, stop) by `name`.

    `first_row` and `rows` say which rows of it; `rows` is 0 for something whole. `depth` is how far in the network it is made,
    from 0 (an input) to 1.
    """

    name: str
    first_row: int
    rows: int
    address: int
    bytes: int
    start: int
    stop: int
    depth: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A head over one inference. `running[k]` says which of `operators` step k belongs to; -1 for none.

    `live_bytes[k]` are alive in step k.
    """

    rectangles: tuple[Rectangle, ...]
    operators: tuple[str, ...]
    running: tuple[int, ...]
    live_bytes: tuple[int, ...]
    head_bytes: int

    @property
    def tightest(self) -> int:
        """The first of the steps with the most bytes alive; 0 without steps."""
        return self.live_bytes.index(max(self.live_bytes)) if self.live_bytes else 0


def original_timeline(model: Model) -> Timeline:
    """The head that TFLM's planner gives a file as it is: each operator is a step."""
    graphs = (model.graph, *model.other_graphs)
    offsets = dict(enumerate(all_offsets(model) or ()))
    moments = operator_moments(graphs)
    steps = max([last for _, last in moments], default=0)
    names = [tensor.name for graph in graphs for tensor in graph.tensors]
    depth = _depths(model.graph)
    rectangles = [
        Rectangle(
            "kernel scratch" if b.tensor is None else names[b.tensor],
            0,
            0,
            b.offset,
            b.bytes,
            max(b.first, 1) - 1,
            b.last,
            depth.get(-1 if b.tensor is None else b.tensor, 1.0),
        )
        for b in place(head_buffers(graphs, offsets, scratch_of(model)))
        if b.last >= max(b.first, 1)
    ]
    running = [-1] * steps
    for k, (first, last) in enumerate(moments):
        running[first - 1 : last] = [k] * (last - first + 1)
    live = [sum(r.bytes for r in rectangles if r.start <= step < r.stop) for step in range(steps)]
    head = max((r.address + r.bytes for r in rectangles), default=0)
    labels = tuple(model.graph.label(op) for op in model.graph.operators)
    return Timeline(tuple(rectangles), labels, tuple(running), tuple(live), head)


def plan_timeline(plan: Plan) -> Timeline:
    """The head of a split model: each row is a step. Rows that change places are several rectangles."""
    graph, steps = plan.split.graph, plan.step_graph.steps
    depth = _depths(graph)
    storages = plan.split.storages.storages
    pieces_of = plan.bodies.pieces_of()
    moves: dict[tuple[int, int], list[Move]] = {}
    for move in plan.layout.moves:
        moves.setdefault((move.body, move.span), []).append(move)
    rectangles: list[Rectangle] = []
    for b, body in enumerate(plan.bodies.bodies):
        pieces = pieces_of.get(b, [])
        for s, span in enumerate(body.spans):
            inside = [p for p in pieces if 0 <= plan.bodies.placements[p].offset - span.offset < span.bytes]
            rows = sorted(plan.step_graph.pieces[p].row for p in inside)
            storage = plan.step_graph.pieces[inside[0]].storage if inside else -1
            whole = storage >= len(storages) or (storage >= 0 and storages[storage].rows == 1)
            made = max(storages[storage].tensors) if 0 <= storage < len(storages) else -1
            of = depth.get(plan.split.part_of.get(made, made), 1.0)
            name = holder(plan, inside[0]) if inside else "unused"
            for start, stop, address in _stays(
                span.start, span.stop, plan.layout.addresses[b] + span.offset, moves.get((b, s), ())
            ):
                rectangles.append(
                    Rectangle(
                        name, rows[0] if rows else 0, 0 if whole else len(rows), address, span.bytes, start, stop, of
                    )
                )
    running = tuple(steps[s].node for s in plan.schedule.steps)
    labels = tuple(graph.label(op) for op in graph.operators)
    return Timeline(tuple(rectangles), labels, running, live_bytes_per_step(plan), plan.planned_head_bytes)


def _stays(start: int, stop: int, address: int, moves: Sequence[Move]) -> Iterator[tuple[int, int, int]]:
    """(start, stop, address) of each place at which a span stays."""
    for move in moves:
        yield start, move.position, address
        start, address = move.position, move.address
    yield start, stop, address


def _depths(graph: Graph) -> dict[int, float]:
    """Tensor -> how far in the network it is made: 0 for inputs, 1 for what the last operator makes."""
    last = max(1, len(graph.operators))
    made = {t: (k + 1) / last for k, op in enumerate(graph.operators) for t in op.outputs}
    return dict.fromkeys(graph.inputs, 0.0) | made
