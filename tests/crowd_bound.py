"""Which live peak is no order of the steps below?

A step runs when all it depends on has run and nothing that depends on it has. Of all sets of steps that could have run by
then, the one that leaves fewest bytes alive is a cheapest cut; those bytes, and what the step itself makes, are there in
every order (the wavefront bound of Elango et al., "On characterizing the data movement complexity of computational DAGs
for parallel execution", SPAA 2014, here in bytes). The bound holds for the split as it is: other pieces, other bounds.
"""

from __future__ import annotations

from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.polish import _SINK, _SOURCE, Polish
from tflm_split.schedule.step_graph import StepGraph

DEFAULT_STEPS = 48


def order_lower_bound(step_graph: StepGraph, schedule: Schedule, asked_steps: int = DEFAULT_STEPS) -> int:
    """Bytes that every order of the needed steps has alive at some moment; at most the best live peak there is.

    Only `asked_steps` steps are asked about: those most crowded in `schedule`, at most one per quarter of an operator's
    rows. A row that may be run over counts with what cannot be shared.
    """
    polish = Polish(step_graph, schedule, frozenset())
    crowded = sorted(range(len(polish.order)), key=lambda k: (-polish.live[k], k))
    picked: dict[tuple[int, int], int] = {}
    for position in crowded:
        step = step_graph.steps[polish.order[position]]
        quarter = 4 * step.row // max(len(step_graph.steps_of[step.node]), 1)
        picked.setdefault((step.node, quarter), position)
    bound = sum(step_graph.pieces[p].bytes for p in step_graph.initial if p in polish.users or p in step_graph.final)
    for position in list(picked.values())[:asked_steps]:
        step = step_graph.steps[polish.order[position]]
        made = sum(
            step_graph.pieces[p].bytes
            for p in step.writes
            if len(polish.writers[p]) == 1 and p not in step_graph.initial
        )
        shared = max((o.shared_bytes for o in step.overlaps), default=0)
        bound = max(bound, least_before(polish, position) + made - shared)
    return bound


def least_before(polish: Polish, at: int) -> int:
    """Bytes alive before the step at `at` in any order of all steps, if no stock operator had a place of its own."""
    everything = polish._window(0, len(polish.order))
    network, _ = polish._network(everything, polish.order, at)
    return everything.base_bytes + network.minimum_cut(_SOURCE, _SINK)[0]
