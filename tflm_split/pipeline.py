"""The whole compiler on one page: a `.tflite` goes in, a `.tflite` that needs less memory and its record come out.

    read -> rewrite -> split -> search -> lower -> verify -> report

Each stage is a call below, and has a folder of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tflm_split.errors import VerificationError
from tflm_split.ir.graph import Graph, Model
from tflm_split.lower.assemble import Lowered, lower
from tflm_split.lower.compile import Plan
from tflm_split.options import DEFAULTS, Options
from tflm_split.plan.progress import Progress, Teller, quiet
from tflm_split.report.footprint import check_planned_head, footprint, reason_to_keep_original
from tflm_split.report.record import Outcome, make_record
from tflm_split.report.result import Result, front
from tflm_split.rewrite.integer_interface import InterfaceChange, strip_float_interface
from tflm_split.search.candidates import SplitGraph, best_plan, pareto_plans, splits_to_try
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import Comparison
from tflm_split.verify.verification import check_own_memory, verify

Source = os.PathLike[str] | str | bytes
"""A path, or a model's bytes."""


def optimize(source: Source, options: Options = DEFAULTS, progress: Progress = quiet) -> Result:
    """Split `source` for the smallest arena. Nothing is written.

    A plan that does not lower the arena is dropped; the result is then the original, byte for byte. Raises InputError for
    a file that cannot be read, UnrunnableError when TFLM does not run the original, VerificationError when the result
    gives other outputs than the original.
    """
    job = _begin(source, options, progress)
    lowered: Lowered | None
    if options.max_arena_bytes is None:
        plan = best_plan(job.splits, options, job.teller)
        lowered = lower(job.model, plan) if plan else None
    else:
        plans = pareto_plans(job.splits, options, job.teller)
        lowered = _fastest_that_fits(job.model, plans, options.max_arena_bytes)
    return _finish(job, lowered)


def pareto(source: Source, options: Options = DEFAULTS, progress: Progress = quiet) -> tuple[Result, ...]:
    """The Pareto front of memory against time, fastest result first. Empty when nothing can be split.

    Each result is verified like that of `optimize`, with the same errors.
    """
    job = _begin(source, options, progress)
    plans = pareto_plans(job.splits, options, job.teller)
    results = [_finish(job, lower(job.model, plan)) for plan in plans]
    return front([result for result in results if result.plan is not None])


@dataclass(frozen=True, slots=True)
class _Job:
    """What is known before the search: the model, and its graph split in each way that is worth trying."""

    model: Model
    path: Path | None
    changes: tuple[InterfaceChange, ...]
    splits: tuple[SplitGraph, ...]
    options: Options
    teller: Teller


def _begin(source: Source, options: Options, progress: Progress) -> _Job:
    teller = Teller(progress)
    teller.at("read", 0)
    model = read_model(source)
    teller.at("split", 0)
    graph, changes = _rewritten(model.graph, options)
    path = None if isinstance(source, (bytes, bytearray, memoryview)) else Path(source)
    return _Job(model, path, changes, splits_to_try(graph), options, teller)


def _rewritten(graph: Graph, options: Options) -> tuple[Graph, tuple[InterfaceChange, ...]]:
    """The graph with the interface that the user wants. All other rewrites depend on the split (`splits_to_try`)."""
    return strip_float_interface(graph) if options.int8_io else (graph, ())


def _fastest_that_fits(model: Model, plans: Sequence[Plan], max_arena_bytes: int) -> Lowered | None:
    """The first of `plans` (fastest first) that fits the device's memory. If none fits, the last, which comes nearest."""
    lowered = None
    for plan in plans:
        lowered = lower(model, plan)
        if footprint(lowered.model, None).predicted_arm32.minimum_arena_bytes <= max_arena_bytes:
            break
    return lowered


def _finish(job: _Job, lowered: Lowered | None) -> Result:
    """The lowered model, verified and reported. The original where splitting gains nothing, or nothing can be split."""
    optimized = lowered.model if lowered else job.model
    comparison = _verified(job, optimized) if job.options.verify else None
    before = footprint(job.model, comparison.original_run if comparison else None)
    after = footprint(optimized, comparison.optimized_run if comparison else None) if lowered else before
    check_planned_head(optimized, after)
    kept_original = reason_to_keep_original(before, after if lowered else None)
    if kept_original:
        lowered, after = None, before
    changes = job.changes if lowered else ()
    outcome = Outcome(
        job.model, lowered, job.splits[0].split, before, after, comparison, changes, kept_original, job.options
    )
    model = lowered.model if lowered else job.model
    return Result(model.original, make_record(outcome), changes, lowered.plan if lowered else None, job.path)


def _verified(job: _Job, optimized: Model) -> Comparison:
    inputs, seed = job.options.inputs, job.options.seed
    job.teller.at("verify", 0, 1)
    comparison = verify(job.model, optimized, inputs, seed, job.teller.tick)
    job.teller.at("verify", 1, 1)
    if not comparison.bit_exact:
        check_own_memory(job.model, inputs, seed)
        raise VerificationError(f"the optimised model differs from the original: {comparison.first_difference}")
    return comparison
