"""What if a piece were several rows high? All of its rows would be computed as soon as one of them is needed.

Taller pieces make fewer changes from kernel to kernel and keep more rows in memory. MoteNN has coarse, middle and fine
pieces for that reason. Here the kernels work on one row at a time at any height, and a step costs next to nothing. So the
compiler uses pieces of one row; `scripts/bench_heights.py` measures what that choice is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    block_of = {s: block for block in blocks for s in block}

    def ends_of_blocks(wanted: Sequence[int], inside: Sequence[int]) -> tuple[int, ...]:
        """The last steps of the blocks that `wanted` are in, those `inside` the own block left out."""
        return tuple(dict.fromkeys(block_of[d][-1] for d in wanted if d not in inside))

    for block in blocks:
        together = [d for s in block for d in step_graph.steps[s].depends]
        steps[block[0]] = replace(steps[block[0]], depends=ends_of_blocks(together, block))
        for before, s in pairwise(block):
            steps[s] = replace(steps[s], depends=(before, *ends_of_blocks(step_graph.steps[s].depends, block)))
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
