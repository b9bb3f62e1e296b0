"""The Pareto front of memory against time, as a record and as a table. Both are made from the records of its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tflm_split.report.record_types import BUDGET_KEY
from tflm_split.report.table import text_table

FRONT_SCHEMA = 1


def front_record(name: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The front of the model called `name`, as JSON values.

    `slowdown` compares predicted instructions with the fastest result of the front.
    """
    points = [_point(record) for record in records]
    fastest = points[0]["predicted_instructions"] if points else 0
    for point in points:
        point["slowdown"] = round(point["predicted_instructions"] / fastest, 4) if fastest else 1.0
    return {
        "schema": FRONT_SCHEMA,
        "model": name,
        "board": records[0]["latency"]["board"] if records else None,
        "original_head_bytes": records[0]["original"]["planned_head_bytes"] if records else None,
        "points": points,
    }


def front_text(record: Mapping[str, Any]) -> str:
    """The record of a front as a table. Ends in a newline."""
    if not record["points"]:
        return f"{record['model']}: no operator of it can be split, so there is nothing to choose from.\n"
    rows = [
        [
            f"{point['planned_head_bytes']:,}",
            f"{point[BUDGET_KEY]:,}",
            f"{point['predicted_instructions']:,}",
            f"{point['slowdown']:.3f}",
            f"{point['macs']:,}",
            f"{point['program_bytes']:,}",
        ]
        for point in record["points"]
    ]
    titles = [
        "head, B",
        "arena to set aside, B",
        f"instructions on {record['board']}",
        "slowdown",
        "MACs",
        "program, B",
    ]
    return text_table(titles, rows)


def _point(record: Mapping[str, Any]) -> dict[str, Any]:
    optimized = record["optimized"]
    return {
        "planned_head_bytes": optimized["planned_head_bytes"],
        BUDGET_KEY: optimized[BUDGET_KEY],
        "predicted_instructions": record["latency"]["predicted_instructions"],
        "macs": optimized["macs"],
        "program_bytes": optimized["program_bytes"],
        "file_bytes": optimized["file_bytes"],
        "verified": record["verified"],
    }
