"""The compiler's stages, for tests: from a model's bytes to every optimised model that can be made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.lower.assemble import assemble, region_blobs
from tflm_split.lower.compile import Plan, compile_schedule
from tflm_split.lower.place import Allowance
from tflm_split.rewrite.swap_axes import tiles_to_try
from tflm_split.schedule.cuts import Schedule, best_cuts
from tflm_split.schedule.orders import candidate_orders, tuck_aliases
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.search.base import rewritten_split
from tflm_split.split.attention import attention_scores
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.tflite.reader import read_model


@dataclass(frozen=True)
class Compiled:
    """One optimised model, and the results of the stages before it."""

    in_place: bool
    plan: Plan
    step_graph: StepGraph
    blobs: tuple[bytes, ...]
    optimized: bytes


def steps_of(split: Split) -> StepGraph:
    return build_step_graph(split)


def scheduled(split: Split) -> tuple[StepGraph, Schedule]:
    """The best cuts of the file's own order."""
    step_graph = steps_of(split)
    order = tuck_aliases(split, range(len(split.graph.operators)))
    return step_graph, best_cuts(step_graph, order, split.stock)


def planned(graph: Graph, options: SplitOptions | None = None, effort: int = 5) -> Plan:
    """One plan, in the file's own order."""
    split = rewritten_split(graph, options or SplitOptions())
    return compile_schedule(split, *scheduled(split), effort)


def every_compilation(model_bytes: bytes, effort: int = 5) -> Iterator[Compiled]:
    """Every configuration: concatenations copied or in place, axes swapped or not, every candidate order, attention
    streamed or not.

    Configurations that are refused are left out.
    """
    model = read_model(model_bytes)
    swaps = (0, *tiles_to_try(model.graph))
    for in_place, swap_axes in product((False, True), swaps):
        split = rewritten_split(model.graph, SplitOptions(concatenate_in_place=in_place, swap_axes=swap_axes))
        if not split.row_ops:
            continue
        step_graph = steps_of(split)
        for order in candidate_orders(split, step_graph):
            for streamed in sorted({attention_scores(split), frozenset[int]()}, key=len):
                schedule = best_cuts(step_graph, order, split.stock, streamed)
                try:
                    plan = compile_schedule(split, step_graph, schedule, effort, Allowance("m7", 1e9))
                except Refusal:  # a slice of a concatenation would be needed outside its region
                    assert in_place
                    continue
                blobs = region_blobs(plan)
                yield Compiled(in_place, plan, step_graph, blobs, assemble(model, plan, blobs).original)
