"""What if a piece were several rows high: computed together, whenever one of them is asked for?

Fewer changes from kernel to kernel, more rows in memory (the coarse, middle and fine pieces of MoteNN). Kernels here work
on one row at a time whatever the height, and a step costs next to nothing, so one row is what the compiler uses;
`scripts/bench_heights.py` measures what that choice is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from tflm_split.schedule.step_graph import StepGraph, build_step_graph
from tflm_split.split.axes.allowed import ALL_AXES
from tflm_split.split.regions import Split
from tflm_split.split.rows import MAX_COUNT

ALL_ROWS = MAX_COUNT
"""Pieces of this height are whole maps, or all rows of a group of channels: nothing streams row by row."""


def steps_along(split: Split, axes: frozenset[str] = ALL_AXES) -> StepGraph:
    """The steps of `split`, where only `axes` may be cut along; `split` is that of rows and, perhaps, channels."""
    step_graph = build_step_graph(split)
    return step_graph if "rows" in axes else taller(step_graph, ALL_ROWS)


def taller(step_graph: StepGraph, height: int) -> StepGraph:
    """The same steps, those of `height` rows tied together: the first waits for what any of them reads, each next one
    for the one before, and whoever reads one of the rows for the last."""
    steps = list(step_graph.steps)
    blocks = _blocks(step_graph, height)
    block_of = {s: block for block in blocks for s in block}

    def behind(wanted: Sequence[int], inside: Sequence[int]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(block_of[d][-1] for d in wanted if d not in inside))

    for block in blocks:
        together = [d for s in block for d in step_graph.steps[s].depends]
        steps[block[0]] = replace(steps[block[0]], depends=behind(together, block))
        for before, s in pairwise(block):
            steps[s] = replace(steps[s], depends=(before, *behind(step_graph.steps[s].depends, block)))
    return replace(step_graph, steps=tuple(steps))


def _blocks(step_graph: StepGraph, height: int) -> list[list[int]]:
    """Steps that run together: needed ones of `height` neighbouring rows of one row op; every other one by itself."""
    found: dict[tuple[int, int], list[int]] = {}
    alone: list[list[int]] = []
    for s, step in enumerate(step_graph.steps):
        if step.row_op is None or s not in step_graph.needed:
            alone.append([s])
        else:
            found.setdefault((step.row_op, step.row // height), []).append(s)
    return [*found.values(), *alone]


def kernel_changes(step_graph: StepGraph, order: Sequence[int]) -> int:
    """How often the next step is another op's."""
    ops = [(step_graph.steps[s].node, step_graph.steps[s].row_op) for s in order]
    return sum(a != b for a, b in pairwise(ops))
