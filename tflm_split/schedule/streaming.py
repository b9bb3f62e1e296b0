"""In which order do the steps of a group of operators run, if rows are computed only when a later operator asks?

Depth-first, demand-driven: the group's last operators ask for their rows one by one, each asks for the rows it reads,
and so on, so that a row is made as late as possible and dies soon (line buffers, patch-based inference, TinyTS and
fused tiling all reduce to this order when the pieces are rows).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tflm_split.schedule.step_graph import StepGraph, node_dependencies


def streaming_order(
    step_graph: StepGraph, nodes: Sequence[int], dependencies: Mapping[int, frozenset[int]] | None = None
) -> list[int]:
    """All needed steps of `nodes` (in an order in which whole nodes could run), depth-first.

    Dropping the steps of the first k nodes from the answer gives the answer for `nodes[k:]`: what a node pulls in
    only ever belongs to earlier nodes. `cuts.py` relies on it. Who asks often passes the `node_dependencies` along.
    """
    steps = step_graph.steps
    order: list[int] = []
    done = bytearray(b"\1") * len(steps)
    for n in nodes:
        for s in step_graph.steps_of[n]:
            done[s] = 0

    def run(goal: int) -> None:
        if done[goal]:
            return
        stack = [(goal, iter(steps[goal].depends))]
        while stack:
            s, waiting = stack[-1]
            for d in waiting:
                if not done[d]:
                    stack.append((d, iter(steps[d].depends)))
                    break
            else:
                stack.pop()
                if not done[s]:
                    done[s] = 1
                    order.append(s)

    for s in goal_steps(step_graph, nodes, dependencies):
        run(s)
    for n in nodes:  # rows nobody in the group asks for, but a later group or the outside world does
        for s in step_graph.steps_of[n]:
            if s in step_graph.needed:
                run(s)
    return order


def goal_steps(
    step_graph: StepGraph, nodes: Sequence[int], dependencies: Mapping[int, frozenset[int]] | None = None
) -> list[int]:
    """For which steps is a group run: the needed ones of its last operators, in the order in which they are asked for.

    Several ends advance together, each by its share of rows, so that rows they have in common are read soon.
    """
    steps = step_graph.steps
    if dependencies is None:
        dependencies = node_dependencies(step_graph)
    asked_for = frozenset[int]().union(*(dependencies[n] for n in nodes))
    sinks = [n for n in nodes if n not in asked_for]
    rows = Counter((n, steps[s].row_op) for n in sinks for s in step_graph.steps_of[n])
    ranked = sorted(
        ((steps[s].row + 1) / rows[n, steps[s].row_op], position, s)
        for position, n in enumerate(sinks)
        for s in step_graph.steps_of[n]
        if s in step_graph.needed
    )
    return [s for _, _, s in ranked]
