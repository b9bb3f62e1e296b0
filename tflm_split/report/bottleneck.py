"""Where is memory tightest, and what fills it there?

In a plan, memory is tightest at the step with the most live bytes, whatever the layout. In a model that is not split, it
is an operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tflm_split.analysis.liveness import activation_bytes, live_bytes_per_operator
from tflm_split.ir.graph import ABSENT, Graph, Tensor
from tflm_split.lower.compile import Plan
from tflm_split.schedule.lives import live_bytes_in_place, lives


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The step with the most live bytes.

    `live`: what is live (a tensor, an accumulator, kernel scratch) -> (pieces, bytes), most bytes first. A stock operator
    is one step of row 0, and its pieces are tensors. So is every operator of a model that is not split.
    """

    step: int
    operator: str
    row: int
    live_bytes: int
    live: Mapping[str, tuple[int, int]]

    @property
    def live_pieces(self) -> int:
        return sum(pieces for pieces, _ in self.live.values())


def live_bytes_per_step(plan: Plan) -> tuple[int, ...]:
    """How many bytes are live during each step of the plan's schedule, in order.

    Bytes that two rows may share, because one is made in place of the other, count once. The largest number is a lower
    bound of the head.
    """
    return tuple(int(n) for n in live_bytes_in_place(plan.step_graph, plan.schedule.steps))


def plan_bottleneck(plan: Plan) -> Bottleneck:
    """The first of the plan's tightest steps. Rows that share bytes are listed with all their bytes."""
    step_graph, graph = plan.step_graph, plan.split.graph
    live = live_bytes_per_step(plan)
    at = live.index(max(live))
    step = step_graph.steps[plan.schedule.steps[at]]
    held: dict[str, tuple[int, int]] = {}
    for p, (start, stop) in lives(step_graph, plan.schedule.steps).items():
        if start <= at < stop:
            name = holder(plan, p)
            pieces, nbytes = held.get(name, (0, 0))
            held[name] = pieces + 1, nbytes + step_graph.pieces[p].bytes
    return Bottleneck(at, graph.label(graph.operators[step.node]), step.row, live[at], _largest_first(held))


def model_bottleneck(graph: Graph) -> Bottleneck | None:
    """The first of the tightest operators of a model that runs layer by layer. None without operators."""
    if not graph.operators:
        return None
    live = live_bytes_per_operator(graph)
    at = live.index(max(live))
    held = {t.name: (1, activation_bytes(t)) for t in _alive_at(graph, at) if activation_bytes(t)}
    return Bottleneck(at, graph.label(graph.operators[at]), 0, live[at], _largest_first(held))


def bottleneck_tensor(graph: Graph) -> Tensor | None:
    """The largest tensor that is live while the first of the tightest operators runs. None without operators."""
    if not graph.operators:
        return None
    live = live_bytes_per_operator(graph)
    return max(_alive_at(graph, live.index(max(live))), key=lambda t: (activation_bytes(t), -t.index), default=None)


def _alive_at(graph: Graph, at: int) -> list[Tensor]:
    """The tensors that are live while operator `at` runs, layer by layer."""
    alive = set(graph.inputs) | {t for op in graph.operators[: at + 1] for t in op.outputs}
    needed = set(graph.outputs) | {t for op in graph.operators[at:] for t in (*op.inputs, *op.outputs) if t != ABSENT}
    return [graph.tensors[t] for t in sorted(alive & needed)]


def holder(plan: Plan, piece: int) -> str:
    """The name of the tensor that a piece is a row of: of the largest one, where several share the row."""
    split, storage = plan.split, plan.step_graph.pieces[piece].storage
    graph, storages = split.graph, split.storages.storages
    if storage < len(storages):
        return max((graph.tensors[t] for t in storages[storage].tensors), key=lambda t: t.bytes).name
    if storage in plan.step_graph.scratch:
        return "kernel scratch"
    op = split.row_ops[storage - len(storages)]
    return f"accumulator of {graph.tensors[op.output].name}"


def _largest_first(held: Mapping[str, tuple[int, int]]) -> Mapping[str, tuple[int, int]]:
    return dict(sorted(held.items(), key=lambda item: -item[1][1]))
