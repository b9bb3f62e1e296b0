"""The Pareto front of memory against time, as a record and as a table. Both are made from the records of its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tflm_split.report.command_records import FrontLine, FrontPoint, FrontRecord
from tflm_split.report.record_types import BUDGET_KEY, Record
from tflm_split.report.table import text_table
from tflm_split.search.staircase import staircase

FRONT_SCHEMA = 1
LINE_TITLES = ("head and queue, B", "head, B", "queue, calls", "rows may come every, instructions")


def front_record(name: str, records: Sequence[Record]) -> FrontRecord:
    """The front of the model called `name`, as JSON values.

    `slowdown` compares predicted instructions with the fastest result of the front.
    """
    fastest = min((record["latency"]["predicted_instructions"] or 0 for record in records), default=None)
    return {
        "schema": FRONT_SCHEMA,
        "model": name,
        "board": records[0]["latency"]["board"] if records else None,
        "original_head_bytes": records[0]["original"]["planned_head_bytes"] if records else None,
        "points": [_point(record, fastest) for record in records],
        "lines": _lines(records),
    }


def stairs(record: FrontRecord) -> list[tuple[float, int]]:
    """(Slowdown, head in bytes) of the results of which no other is better in both, the fastest first."""
    points = record["points"]
    kept = staircase([p["predicted_instructions"] or 0 for p in points], [p["planned_head_bytes"] for p in points])
    return [(points[k]["slowdown"], points[k]["planned_head_bytes"]) for k in kept]


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
    return text_table(titles, rows) + _lines_text(record)


def line_rows(record: FrontRecord) -> Iterator[list[int]]:
    """The front of memory against how often rows of a streamed input may come, under `LINE_TITLES`."""
    for line in record["lines"]:
        head = record["points"][line["point"]]["planned_head_bytes"]
        yield [line["memory_bytes"], head, line["fifo"], line["predicted_instructions"]]


def _lines_text(record: FrontRecord) -> str:
    """The table about rows that come one after the other; nothing where none do."""
    rows = [[f"{value:,}" for value in row] for row in line_rows(record)]
    return "\n" + text_table(LINE_TITLES, rows) if rows else ""


def _lines(records: Sequence[Record]) -> list[FrontLine]:
    """Memory against the time between two calls, over all results and lengths of the queue in front of them."""
    every: list[FrontLine] = []
    for k, record in enumerate(records):
        stream, head = record["stream"], record["optimized"]["planned_head_bytes"]
        for time in stream["line_times"] if stream else ():
            waiting = (time["fifo"] - 1) * stream["rows_per_call"] * stream["row_bytes"] if stream else 0
            every.append(
                {
                    "point": k,
                    "fifo": time["fifo"],
                    "memory_bytes": head + waiting,
                    "predicted_instructions": time["predicted_instructions"],
                }
            )
    kept = staircase([line["predicted_instructions"] for line in every], [line["memory_bytes"] for line in every])
    return [every[k] for k in kept]


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
