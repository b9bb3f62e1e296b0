"""The whole compiler on one page: a `.tflite` in, a smaller-memory `.tflite` and its record out."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tflm_split.errors import VerificationError
from tflm_split.ir.graph import Graph, Model
from tflm_split.lower.assemble import assemble, region_blobs
from tflm_split.lower.compile import Plan
from tflm_split.options import DEFAULTS, Options
from tflm_split.report.footprint import Footprint, check_planned_head, footprint
from tflm_split.report.record import Outcome, make_record
from tflm_split.report.summary import summary
from tflm_split.rewrite.integer_interface import InterfaceChange, strip_float_interface
from tflm_split.search.candidates import best_plan, pareto_plans, rewritten_split
from tflm_split.sizes import format_bytes
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model
from tflm_split.tflite.save import save
from tflm_split.verify.compare import Comparison
from tflm_split.verify.verification import check_own_memory, verify

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def quiet(stage: str, done: int, total: int) -> None:
    """A Progress that says nothing."""


@dataclass(frozen=True, slots=True)
class Result:
    """The optimised model, its JSON record (`report/record.py`), and the plan behind it (None: nothing gained)."""

    model: bytes = field(repr=False)
    report: dict[str, Any] = field(repr=False)
    changes: tuple[InterfaceChange, ...] = ()
    plan: Plan | None = field(default=None, repr=False)
    input_path: Path | None = None

    def save(self, path: os.PathLike[str] | str, *, force: bool = False) -> None:
        """Write the model to `path` in one step; an existing file, and above all the input, only with `force`."""
        save(self.model, path, force=force, input_path=self.input_path)

    def __str__(self) -> str:
        return summary(self.report)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<pre>{html.escape(str(self))}</pre>"


def optimize(source: os.PathLike[str] | str | bytes, options: Options = DEFAULTS, progress: Progress = quiet) -> Result:
    """Split `source` (a path, or a model's bytes) for least arena; writes nothing.

    A plan that does not lower the arena is dropped: the result is then the original, byte for byte. Raises InputError
    for what cannot be read, UnrunnableError when TFLM does not run the original, VerificationError when the result does
    not do what the original does.
    """
    model, graph, changes = _read(source, options)
    if options.max_arena_bytes is None:
        plan = best_plan(graph, options, progress)
    else:
        plan = _fastest_that_fits(model, pareto_plans(graph, options, progress), options.max_arena_bytes)
    return _result(model, graph, changes, plan, options, progress, _path(source))


def pareto(
    source: os.PathLike[str] | str | bytes, options: Options = DEFAULTS, progress: Progress = quiet
) -> tuple[Result, ...]:
    """What memory costs in time: results none of which another beats in both, fastest first; empty if nothing splits.

    Each is verified like the result of `optimize`. Raises what that raises.
    """
    model, graph, changes = _read(source, options)
    plans = pareto_plans(graph, options, progress)
    results = [_result(model, graph, changes, plan, options, progress, _path(source)) for plan in plans]
    return _front([r for r in results if r.plan is not None])


def _front(results: Sequence[Result]) -> tuple[Result, ...]:
    """Those of `results` that no other beats in both, by the instructions predicted for their programs."""

    def price(result: Result) -> tuple[int, int]:
        report = result.report
        return report["latency"]["predicted_instructions"] or 0, report["optimized"]["planned_head_bytes"]

    kept: list[Result] = []
    for result in sorted(results, key=price):
        if not kept or price(result)[1] < price(kept[-1])[1]:
            kept.append(result)
    return tuple(kept)


def _path(source: os.PathLike[str] | str | bytes) -> Path | None:
    """Where the model was read from, if it came from a file."""
    return None if isinstance(source, (bytes, bytearray, memoryview)) else Path(source)


def _read(source: os.PathLike[str] | str | bytes, options: Options) -> tuple[Model, Graph, tuple[InterfaceChange, ...]]:
    model = read_model(source)
    graph, changes = strip_float_interface(model.graph) if options.int8_io else (model.graph, ())
    return model, graph, changes


def _fastest_that_fits(model: Model, plans: Sequence[Plan], max_arena_bytes: int) -> Plan | None:
    """The first of `plans`, fastest first, that the device has memory for; the one that comes nearest if none fits."""
    for plan in plans:
        found = footprint(read_model(assemble(model, plan, region_blobs(plan))), None)
        if found.predicted_arm32.minimum_arena_bytes <= max_arena_bytes:
            return plan
    return plans[-1] if plans else None


def _result(
    model: Model,
    graph: Graph,
    changes: tuple[InterfaceChange, ...],
    plan: Plan | None,
    options: Options,
    progress: Progress,
    path: Path | None,
) -> Result:
    """The file that `plan` makes of `model`, verified and reported."""
    split = plan.split if plan else rewritten_split(graph, SplitOptions())
    blobs = region_blobs(plan) if plan else ()
    optimized = assemble(model, plan, blobs) if plan else model.original

    comparison: Comparison | None = None
    if options.verify:
        progress("verify", 0, 1)
        comparison = verify(model, optimized, options.inputs, options.seed)
        progress("verify", 1, 1)
        if not comparison.bit_exact:
            check_own_memory(model, options.inputs, options.seed)
            raise VerificationError(f"the optimised model differs from the original: {comparison.first_difference}")

    before = footprint(model, comparison.original_run if comparison else None)
    after = footprint(read_model(optimized), comparison.optimized_run if comparison else None)
    check_planned_head(read_model(optimized), after)
    kept_original = _reason_to_keep_original(plan, before, after)
    if kept_original:
        optimized, plan, blobs, after, changes = model.original, None, (), before, ()
    outcome = Outcome(
        model, optimized, split, plan, blobs, before, after, comparison, changes, kept_original, options,
    )  # fmt: skip
    return Result(optimized, make_record(outcome), changes, plan, path)


def _reason_to_keep_original(plan: Plan | None, before: Footprint, after: Footprint) -> str | None:
    if plan is None:
        return "no operator of it can be split"
    if after.arena_needs >= before.arena_needs:
        split, whole = format_bytes(after.arena_needs[0]), format_bytes(before.arena_needs[0])
        return f"split it would take {split} of arena, not less than {whole}"
    return None
