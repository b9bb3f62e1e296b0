"""A lower bound of the live peak: no order of the steps is below it.

When a step runs, all steps that it depends on have run, and none that depends on it. Many sets of steps can have run by
then. The set that leaves the fewest bytes live is a minimum cut. These bytes, and those that the step makes, are live in
every order. This is the wavefront bound of Elango et al., "On characterizing the data movement complexity of computational
DAGs for parallel execution", SPAA 2014, here in bytes. It holds for the split as it is: with other pieces the bound differs.
"""

from __future__ import annotations

from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.divide import SINK, SOURCE, Divisions
from tflm_split.schedule.step_graph import StepGraph

DEFAULT_STEPS = 48


def order_lower_bound(step_graph: StepGraph, schedule: Schedule, asked_steps: int = DEFAULT_STEPS) -> int:
    """How many bytes are live at some moment in every order of the needed steps. At most the least live peak.

    Only `asked_steps` steps are tried: those with the most live bytes in `schedule`, at most one per quarter of an
    operator's rows. Of a row that may be overwritten in place, only bytes that cannot be shared count.
    """
    order = Divisions(step_graph, schedule)
    crowded = sorted(range(len(order.order)), key=lambda k: (-order.live[k], k))
    picked: dict[tuple[int, int], int] = {}
    for position in crowded:
        step = step_graph.steps[order.order[position]]
        quarter = 4 * step.row // max(len(step_graph.steps_of[step.node]), 1)
        picked.setdefault((step.node, quarter), position)
    bound = sum(step_graph.pieces[p].bytes for p in step_graph.initial if p in order.users or p in step_graph.final)
    for position in list(picked.values())[:asked_steps]:
        step = step_graph.steps[order.order[position]]
        made = sum(
            step_graph.pieces[p].bytes
            for p in step.writes
            if len(order.writers[p]) == 1 and p not in step_graph.initial
        )
        shared = max((o.shared_bytes for o in step.overlaps), default=0)
        bound = max(bound, least_before(order, position) + made - shared)
    return bound


def least_before(order: Divisions, at: int) -> int:
    """The fewest bytes live before the step at `at`, in any order of all steps. Stock operators may run anywhere."""
    everything = order.window(0, len(order.order))
    network, _ = order.network(everything, order.order, at)
    return everything.base_bytes + network.minimum_cut(SOURCE, SINK)[0]
