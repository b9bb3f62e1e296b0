"""What does a user get? The optimised model, its record, and the plan behind it; and fronts of several."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflm_split.errors import InputError
from tflm_split.lower.compile import Plan
from tflm_split.report.command_records import FrontRecord
from tflm_split.report.front import front_record, front_text
from tflm_split.report.record_types import BUDGET_KEY, Record
from tflm_split.report.summary import summary
from tflm_split.rewrite.integer_interface import InterfaceChange
from tflm_split.search.decision_file import SavedDecision
from tflm_split.search.staircase import staircase, with_stairs
from tflm_split.sizes import format_bytes
from tflm_split.tflite.reader import read_model
from tflm_split.tflite.save import save

if TYPE_CHECKING:
    from tflm_split.report.view import OperatorView, View


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The optimised model, its JSON record (`report/record.py`), and the plan behind it.

    `plan` is None where splitting gains nothing; the model is the original then. `decision` makes the same model again,
    without a search: `optimize(..., decision=result.decision)`. It can be saved to a file, too. `original`
    are the bytes of the file that was read.
    """

    model: bytes
    report: Record
    original: bytes
    changes: tuple[InterfaceChange, ...] = ()
    plan: Plan | None = None
    input_path: Path | None = None
    decision: SavedDecision | None = field(default=None)

    def save(self, path: os.PathLike[str] | str, *, force: bool = False) -> None:
        """Write the model to `path` in one step. Raises InputError when that fails.

        An existing file, and the input above all, is replaced only with `force`.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(f"save takes a path, not {type(path).__name__}")
        save(self.model, path, force=force, input_path=self.input_path, by="save(..., force=True)")

    def operators(self) -> list[OperatorView]:
        """A record per operator, for `pandas.DataFrame`: bytes alive, multiply-accumulates, instructions, why it is not split."""
        return list(self.view().operators)

    def html(self) -> str:
        """One self-contained page about the result, as `--html` writes it."""
        from tflm_split.report.page import result_page

        return result_page(self.view())

    def node_data(self) -> dict[str, str]:
        """Values per operator for Model Explorer: kind -> JSON to save in a file of its own (`report/node_data.py`)."""
        from tflm_split.report.node_data import node_data

        return node_data(self.view())

    def plot_memory(self) -> tuple[Any, ...]:
        """Memory against time, before and after, drawn with matplotlib. The Axes of the pictures.

        Raises ToolError without matplotlib (`pip install 'tflm_split[report]'`).
        """
        from tflm_split.report.plots import plot_memory

        view = self.view()
        return plot_memory([view.before, *([view.after] if view.after else [])])

    def view(self) -> View:
        """What reports and plots show, as values."""
        from tflm_split.report.view import view_of

        original = read_model(self.original)
        optimized = original if self.model == original.original else read_model(self.model)
        return view_of(original, optimized, self.plan, self.report)

    def __str__(self) -> str:
        return summary(self.report)

    def __repr__(self) -> str:
        report = self.report
        after, before = (format_bytes(report[part][BUDGET_KEY]) for part in ("optimized", "original"))
        what = "original kept" if self.plan is None else f"{report['optimized']['steps']:,} steps"
        verified = "verified" if report["verified"] else "not verified"
        return f"Result({report['model']['name']!r}: arena {after} instead of {before}, {what}, {verified})"

    def _repr_html_(self) -> str:
        """The page in small, for notebooks."""
        from tflm_split.report.small import small_result

        return small_result(self.view())


class Front(tuple[Result, ...]):
    """A Pareto front of memory against time: results of which none is better in both, the fastest first.

    With a streamed input, results that take rows more often than all smaller ones are there, too. The smallest head is last.
    """

    __slots__ = ()

    @property
    def report(self) -> FrontRecord:
        """The front as JSON values (`report/front.py`)."""
        name = self[0].report["model"]["name"] if self else ""
        return front_record(name, [result.report for result in self])

    def plot(self) -> Any:
        """The head against the predicted slowdown, drawn with matplotlib. The Axes of the picture.

        Raises ToolError without matplotlib (`pip install 'tflm_split[report]'`).
        """
        from tflm_split.report.plots import plot_front

        return plot_front(self.report)

    def html(self) -> str:
        """One self-contained page about the front, and about its smallest result."""
        from tflm_split.report.page import front_page, result_page

        return result_page(self[-1].view(), self.report) if self else front_page(self.report)

    def __str__(self) -> str:
        return front_text(self.report)

    def __repr__(self) -> str:
        heads = ", ".join(f"{result.report['optimized']['planned_head_bytes']:,}" for result in self)
        name = f"{self.report['model']!r}: " if self else ""
        return f"Front({name}{len(self)} results, heads of {heads} B)" if self else "Front(no results)"

    def _repr_html_(self) -> str:
        """Picture and table, for notebooks."""
        from tflm_split.report.small import small_front

        return small_front(self.report)


def front(results: Iterable[Result]) -> Front:
    """The Pareto front of `results`: memory (planned head) against time (predicted instructions), largest head first.

    With a streamed input, those of the front of memory against the time between two calls are there, too.
    """
    found = list(results)
    heads = [result.report["optimized"]["planned_head_bytes"] for result in found]
    instructions = [result.report["latency"]["predicted_instructions"] or 0 for result in found]
    kept = staircase(instructions, heads)
    lines = [stream["line_times"][0] for result in found if (stream := result.report["stream"])]
    if found and len(lines) == len(found):
        kept = with_stairs(kept, staircase([t["predicted_instructions"] for t in lines], heads), instructions, heads)
    return Front([found[k] for k in sorted(kept, key=lambda k: -heads[k])])
