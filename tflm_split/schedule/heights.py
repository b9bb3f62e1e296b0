"""What if a piece were several rows high? All of its rows would be computed as soon as one of them is needed.

Taller pieces make fewer changes from kernel to kernel and keep more rows in memory. MoteNN has coarse, middle and fine
pieces for that reason. Here the kernels work on one row at a time at any height, and a step costs next to nothing. So the
compiler uses pieces of one row; `scripts/bench_heights.py` measures what that choice is worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from tflm_split.schedule.step_graph import StepGraph
from tflm_split.split.rows import MAX_COUNT

ALL_ROWS = MAX_COUNT
"""Pieces of this height are whole tensors, or all rows of a group of channels. Nothing streams row by row."""


def taller(step_graph: StepGraph, height: int) -> StepGraph:
    """The same steps, with those of `height` neighbouring rows tied into a block.

    The first step of a block waits for everything that any step of the block reads. The others follow one by one. A reader
    of any row of the block waits for the last.
    """
    steps = list(step_graph.steps)
    blocks = _blocks(step_graph, height)
    end_of = {s: block[-1] for block in blocks for s in block}

    def ends_of_blocks(wanted: Iterable[int], own: int) -> tuple[int, ...]:
        """The last steps of the blocks that `wanted` are in, the `own` block's left out."""
        ends = dict.fromkeys([end_of[d] for d in wanted])
        ends.pop(own, None)
        return tuple(ends)

    for block in blocks:
        together = [d for s in block for d in step_graph.steps[s].depends]
        steps[block[0]] = steps[block[0]]._replace(depends=ends_of_blocks(together, block[-1]))
        for before, s in pairwise(block):
            steps[s] = steps[s]._replace(depends=(before, *ends_of_blocks(step_graph.steps[s].depends, block[-1])))
    return replace(step_graph, steps=tuple(steps))


def _blocks(step_graph: StepGraph, height: int) -> list[list[int]]:
    """Needed steps of `height` neighbouring rows of one row op as blocks. Every other step is a block of its own."""
    together: dict[tuple[int, int], list[int]] = {}
    alone: list[list[int]] = []
    for s, step in enumerate(step_graph.steps):
        if step.row_op is None or s not in step_graph.needed:
            alone.append([s])
        else:
            together.setdefault((step.row_op, step.row // height), []).append(s)
    return [*together.values(), *alone]


def kernel_changes(step_graph: StepGraph, order: Sequence[int]) -> int:
    """How often a step of one op is followed by a step of another."""
    ops = [(step_graph.steps[s].node, step_graph.steps[s].row_op) for s in order]
    return sum(a != b for a, b in pairwise(ops))
