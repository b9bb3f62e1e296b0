"""The Pareto front of memory against time, as a record and as a table. Both are made from the records of its results."""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.report.command_records import FrontPoint, FrontRecord
from tflm_split.report.record_types import BUDGET_KEY, Record
from tflm_split.report.table import text_table

FRONT_SCHEMA = 1


def front_record(name: str, records: Sequence[Record]) -> FrontRecord:
    """The front of the model called `name`, as JSON values.

    `slowdown` compares predicted instructions with the fastest result of the front.
    """
    fastest = records[0]["latency"]["predicted_instructions"] if records else None
    return {
        "schema": FRONT_SCHEMA,
        "model": name,
        "board": records[0]["latency"]["board"] if records else None,
        "original_head_bytes": records[0]["original"]["planned_head_bytes"] if records else None,
        "points": [_point(record, fastest) for record in records],
    }


def front_text(record: FrontRecord) -> str:
    """The record of a front as a table. Ends in a newline."""
    if not record["points"]:
        return f"{record['model']}: no operator of it can be split, so there is nothing to choose from.\n"
    rows = [
        [
            f"{point['planned_head_bytes']:,}",
            f"{point[BUDGET_KEY]:,}",
            f"{point['predicted_instructions'] or 0:,}",
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


def _point(record: Record, fastest: int | None) -> FrontPoint:
    optimized, instructions = record["optimized"], record["latency"]["predicted_instructions"]
    return {
        "planned_head_bytes": optimized["planned_head_bytes"],
        "predicted_arm32_minimum_arena_bytes": optimized["predicted_arm32_minimum_arena_bytes"],
        "predicted_instructions": instructions,
        "macs": optimized["macs"],
        "program_bytes": optimized["program_bytes"],
        "file_bytes": optimized["file_bytes"],
        "verified": record["verified"],
        "slowdown": round(instructions / fastest, 4) if instructions and fastest else 1.0,
    }
