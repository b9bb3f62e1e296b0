"""What `tflm_split.inspect` gives: a file's operators, what they need, and what can be split, to print, plot or put in a table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from tflm_split.report.command_records import InspectionRecord
from tflm_split.report.inspection import inspect_model, inspection_text, planned_addresses
from tflm_split.report.record_types import BUDGET_KEY
from tflm_split.report.small import small_inspection
from tflm_split.report.timeline import Timeline, original_timeline
from tflm_split.report.view import OperatorView, operator_views
from tflm_split.search.shown import shown_split
from tflm_split.sizes import counted, format_bytes
from tflm_split.tflite.reader import read_model


@dataclass(frozen=True, slots=True, repr=False)
class Inspection:
    """A file, looked at. `report` is the record of `tflm-split inspect --json`; `timeline` is TFLM's layout of it."""

    report: InspectionRecord
    timeline: Timeline
    text: str
    rows: tuple[OperatorView, ...]

    def operators(self) -> list[OperatorView]:
        """A record per operator, for `pandas.DataFrame`."""
        return list(self.rows)

    def plot_memory(self) -> Any:
        """Memory against time, drawn with matplotlib. The Axes of the picture. Raises ToolError without matplotlib."""
        from tflm_split.report.plots import plot_memory

        return plot_memory([self.timeline])[0]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        stock = {k for op in self.rows if op["treatment"] == "stock" for k in op["source"]}
        name, operators = self.report["model"]["name"], counted(self.report["model"]["ops"], "operator")
        arena = format_bytes(self.report[BUDGET_KEY])
        what = "split already" if self.report["programs"] else f"{len(stock)} cannot be split"
        return f"Inspection({name!r}: {operators}, {what}, arena {arena})"

    def _repr_html_(self) -> str:
        """The picture and the table, for notebooks."""
        return small_inspection(self.report, self.rows, self.timeline)


def inspect(source: os.PathLike[str] | str | bytes, *, axes: bool = False, tensor: str | None = None) -> Inspection:
    """What is in the model at `source` (a path, or its bytes). TFLM does not run. Raises InputError for what is no model.

    With `axes`, the record also says along which axes the largest tensor, or the one called `tensor`, can be cut.
    """
    record, operators = inspect_model(source, axes=axes, tensor=tensor)
    model = read_model(source)
    split = shown_split(model)
    rows = operator_views(split, addresses=planned_addresses(model, split.graph))
    return Inspection(record, original_timeline(model), inspection_text(record, operators).rstrip("\n"), rows)
