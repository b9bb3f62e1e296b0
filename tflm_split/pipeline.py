"""The whole compiler on one page: a `.tflite` in, a smaller-memory `.tflite` and its record out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tflm_split.assemble import assemble, region_blobs
from tflm_split.candidates import best_plan
from tflm_split.compile import Plan
from tflm_split.errors import InputError, VerificationError
from tflm_split.ir.graph import Graph, Model
from tflm_split.report.record import make_record
from tflm_split.rewrite.integer_interface import InterfaceChange, strip_float_interface
from tflm_split.tflite.reader import read_model
from tflm_split.tflite.save import save
from tflm_split.verify.compare import Comparison, verify

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def quiet(stage: str, done: int, total: int) -> None:
    """A Progress that says nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may ask for. Sizes in bytes; `inputs` is the number of inputs the result is verified on."""

    int8_io: bool = False
    max_arena_bytes: int | None = None
    verify: bool = True
    inputs: int = 8
    seed: int = 0
    effort: int = 40

    def __post_init__(self) -> None:
        if self.max_arena_bytes is not None and self.max_arena_bytes <= 0:
            raise InputError(f"the arena limit is {self.max_arena_bytes} bytes, needs more than 0")
        if self.inputs < 1:
            raise InputError(f"a model cannot be verified on {self.inputs} inputs")
        if self.effort < 0:
            raise InputError(f"the effort is {self.effort}, needs 0 or more")


@dataclass(frozen=True, slots=True)
class Result:
    """The optimised model, the JSON record of it (`report/record.py`), and the plan behind it (None: nothing gained)."""

    model: bytes = field(repr=False)
    report: dict[str, Any]
    changes: tuple[InterfaceChange, ...] = ()
    plan: Plan | None = field(default=None, repr=False)
    input_path: Path | None = None

    def save(self, path: os.PathLike[str] | str, *, force: bool = False) -> None:
        """Write the model to `path` in one step; an existing file, and above all the input, only with `force`."""
        save(self.model, path, force=force, input_path=self.input_path)


def optimize(
    source: os.PathLike[str] | str | bytes, options: Options = Options(), progress: Progress = quiet
) -> Result:
    """Split `source` (a path, or a model's bytes) for least arena; writes nothing.

    Raises InputError for what cannot be read, TflmError when TFLM does not run the original, VerificationError when
    the result does not do what the original does.
    """
    model = read_model(source)
    path = None if isinstance(source, bytes) else Path(source)
    graph, changes = strip_float_interface(model.graph) if options.int8_io else (model.graph, ())

    plan = best_plan(graph, options.effort, progress)
    blobs = region_blobs(plan) if plan else ()
    optimized = assemble(model, plan, blobs) if plan else model.original

    comparison: Comparison | None = None
    if options.verify:
        progress("verify", 0, 1)
        comparison = verify(model, optimized, options.inputs, options.seed)
        if not comparison.bit_exact:
            raise VerificationError(f"the optimised model differs from the original: {comparison.first_difference}")
        progress("verify", 1, 1)
    record = make_record(model, graph, plan, blobs, optimized, comparison, changes, options.max_arena_bytes)
    return Result(optimized, record, changes, plan, path)
