"""In which order do the steps of a group of operators run, if a row is computed only when a later operator needs it?

The order is depth-first and driven by demand. The last operators of the group ask for their rows one by one. Each of those
rows asks for the rows that it reads, and so on. So a row is made as late as possible and dies soon:

    time ->
    a   0 1 2 . 3 . 4 . . 5 . .     a row of b reads three rows of a, a row of c three rows of b:
    b   . . . 0 . 1 . 2 . . 3 .     only three rows of each live at once
    c   . . . . . . . . 0 . . 1

Line buffers, patch-based inference, TinyTS and fused tiling all come down to this order when the pieces are rows.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from tflm_split.native.loops import native, pointer
from tflm_split.schedule.step_arrays import arrays_of
from tflm_split.schedule.step_graph import StepGraph, node_dependencies


def streaming_order(
    step_graph: StepGraph,
    nodes: Sequence[int],
    dependencies: Mapping[int, frozenset[int]] | None = None,
    use_native: bool = True,
) -> list[int]:
    """All needed steps of `nodes`, depth-first. `nodes` are in an order in which they could run whole, one after the other.

    The order for `nodes[k:]` is the same, without the steps of the first k nodes: a node only asks for steps of earlier
    nodes. `cuts.py` relies on this. `dependencies` are the `node_dependencies`, for callers that have them already.
    """
    library = native() if use_native else None
    if library is not None:
        return _streamed_in_c(library, step_graph, nodes)
    steps = step_graph.steps
    order: list[int] = []
    done = bytearray(b"\1") * len(steps)
    for n in nodes:
        for s in step_graph.steps_of[n]:
            done[s] = 0

    def run(goal: int) -> None:
        """Append all steps that `goal` still waits for, depth-first, then `goal`."""
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
    for n in nodes:  # rows that no step of the group reads, but a later group or the caller of the model does
        for s in step_graph.steps_of[n]:
            if s in step_graph.needed:
                run(s)
    return order


def _streamed_in_c(library: ctypes.CDLL, step_graph: StepGraph, nodes: Sequence[int]) -> list[int]:
    arrays = arrays_of(step_graph)
    group, order = np.array(nodes, dtype=np.int64), np.empty(arrays.steps, dtype=np.int64)
    length = library.tflm_split_stream(arrays.reference, pointer(group), ctypes.c_int64(len(group)), pointer(order))
    if length < 0:
        raise MemoryError
    return order[:length].tolist()  # type: ignore[no-any-return]  # numpy does not say what is in the list


def goal_steps(
    step_graph: StepGraph, nodes: Sequence[int], dependencies: Mapping[int, frozenset[int]] | None = None
) -> list[int]:
    """The steps that a group runs for: the needed ones of its last operators, in the order in which they are asked for.

    Several last operators advance together, each by its share of rows. So the rows that all of them read die soon.
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
