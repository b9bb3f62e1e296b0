"""What does a user get? The optimised model, its record, and the plan behind it."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tflm_split.errors import InputError
from tflm_split.lower.compile import Plan
from tflm_split.report.record_types import Record
from tflm_split.report.summary import summary
from tflm_split.rewrite.integer_interface import InterfaceChange
from tflm_split.search.decision_file import SavedDecision
from tflm_split.tflite.save import save


@dataclass(frozen=True, slots=True)
class Result:
    """The optimised model, its JSON record (`report/record.py`), and the plan behind it.

    `plan` is None where splitting gains nothing; the model is the original then. `decision` makes the same model again,
    without a search: `optimize(..., decision=result.decision)`. It can be saved to a file, too.
    """

    model: bytes = field(repr=False)
    report: Record = field(repr=False)
    changes: tuple[InterfaceChange, ...] = ()
    plan: Plan | None = field(default=None, repr=False)
    input_path: Path | None = None
    decision: SavedDecision | None = field(default=None, repr=False)

    def save(self, path: os.PathLike[str] | str, *, force: bool = False) -> None:
        """Write the model to `path` in one step. Raises InputError when that fails.

        An existing file, and the input above all, is replaced only with `force`.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(f"save takes a path, not {type(path).__name__}")
        save(self.model, path, force=force, input_path=self.input_path, by="save(..., force=True)")

    def __str__(self) -> str:
        return summary(self.report)

    def _repr_html_(self) -> str:
        """The summary, as HTML for notebooks."""
        return f"<pre>{html.escape(str(self))}</pre>"


def front(results: Sequence[Result]) -> tuple[Result, ...]:
    """The Pareto front of `results`: memory (planned head) against time (predicted instructions), fastest first."""

    def price(result: Result) -> tuple[int, int]:
        report = result.report
        return report["latency"]["predicted_instructions"] or 0, report["optimized"]["planned_head_bytes"]

    kept: list[Result] = []
    for result in sorted(results, key=price):
        if not kept or price(result)[1] < price(kept[-1])[1]:
            kept.append(result)
    return tuple(kept)
