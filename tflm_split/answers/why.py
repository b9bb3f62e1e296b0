"""Why does a model not get smaller, and which option would help?

The answer names what is alive together where memory is tightest. Each option that could remove some of it is applied, so
that the arena it promises is the arena it gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tflm_split.errors import Refusal, TflmSplitError
from tflm_split.options import Options
from tflm_split.pipeline import optimize
from tflm_split.plan.progress import Progress, quiet
from tflm_split.report.answer_records import Way, WhyRecord
from tflm_split.report.record import SCHEMA
from tflm_split.report.record_types import BUDGET_KEY, Held, Record
from tflm_split.report.table import text_table
from tflm_split.sizes import format_bytes

LONGEST_NAME = 60
SLOWDOWN = 2.0
"""The `--max-slowdown` that is tried."""


def why(path: Path, options: Options, progress: Progress = quiet) -> WhyRecord:
    """What keeps the arena of the model at `path` as large as it is under `options`, and what would lower it.

    Nothing is verified. Raises InputError for a file that is no model.
    """
    limit = options.max_arena_bytes
    options = replace(options, max_arena_bytes=None, verify=False)
    record = optimize(path, options, progress).report
    found = record["optimized"][BUDGET_KEY]
    ways = sorted(_ways(path, options, record, limit, progress), key=lambda way: (-way["saved_bytes"], way["option"]))
    tightest = record["bottleneck"]
    held = tightest["live"] if tightest else []
    rest = max(0, found - sum(one["bytes"] for one in held))
    return {
        "schema": SCHEMA,
        "model": record["model"],
        "max_arena_bytes": limit,
        "set_aside_bytes": found,
        "fits": None if limit is None else found <= limit,
        "bottleneck": tightest,
        "together": _together(held, rest, limit),
        "rest_bytes": rest,
        "ways": ways,
    }


def _together(held: list[Held], rest_bytes: int, limit: int | None) -> list[Held]:
    """The fewest of `held` that do not fit `limit` together with the rest; all of them where all fit, or without a limit."""
    if limit is None:
        return held
    chosen: list[Held] = []
    total = rest_bytes
    for one in sorted(held, key=lambda h: -h["bytes"]):
        chosen.append(one)
        total += one["bytes"]
        if total > limit:
            return chosen
    return held


def _tried(options: Options) -> Iterator[tuple[str, dict[str, Any]]]:
    """Options that are not chosen yet, as on the command line, with what they change."""
    if not options.stream_input:
        yield "--stream-input", {"stream_input": 1, "max_slowdown": None}
    if not options.int8_io:
        yield "--int8-io", {"int8_io": True}
    if not options.int8_io and not options.stream_input:
        yield "--int8-io --stream-input", {"int8_io": True, "stream_input": 1, "max_slowdown": None}
    if options.max_slowdown < SLOWDOWN:
        yield f"--max-slowdown {SLOWDOWN:g}", {"max_slowdown": SLOWDOWN}


def _ways(path: Path, options: Options, before: Record, limit: int | None, progress: Progress) -> Iterator[Way]:
    known = before["optimized"][BUDGET_KEY]
    for option, change in _tried(options):
        try:
            record = optimize(path, replace(options, **change), progress).report
        except (Refusal, TflmSplitError) as error:
            yield _way(option, None, known, limit, str(error))
            continue
        changed = record["interface_changes"] or not change.get("int8_io")
        if not changed:
            yield _way(option, None, known, limit, "no float conversion stands at an input or output")
        else:
            yield _way(option, record["optimized"][BUDGET_KEY], known, limit, None)


def _way(option: str, found: int | None, known: int, limit: int | None, refused: str | None) -> Way:
    return {
        "option": option,
        "set_aside_bytes": found,
        "saved_bytes": 0 if found is None else max(0, known - found),
        "fits": None if limit is None else found is not None and found <= limit,
        "refused": refused,
    }


def why_text(record: WhyRecord) -> str:
    """The record for people. Ends in a newline."""
    limit, name = record["max_arena_bytes"], record["model"]["name"]
    lines = [f"{name}, split: {format_bytes(record['set_aside_bytes'])} of arena."]
    if limit is not None:
        lines[0] = f"{lines[0][:-1]}: {'fits' if record['fits'] else 'does NOT fit'} into {format_bytes(limit)}."
    tightest = record["bottleneck"]
    if tightest:
        where = _short(tightest["operator"])
        lines += ["", f"Tightest at row {tightest['row']} of {where}. Alive together there:"]
        rows = [[_short(held["tensor"]), f"{held['pieces']:,}", f"{held['bytes']:,}"] for held in record["together"]]
        if len(record["together"]) < len(tightest["live"]):
            lines[-1] = f"Tightest at row {tightest['row']} of {where}. These alone break the limit:"
        rows.append(["tail, and gaps between addresses", "", f"{record['rest_bytes']:,}"])
        lines += text_table(["what", "rows", "bytes"], rows).rstrip("\n").split("\n")
    rows = []
    for way in record["ways"]:
        if way["refused"] is None and way["saved_bytes"]:
            fits = [] if limit is None else ["yes" if way["fits"] else "no"]
            rows.append([way["option"], f"{way['set_aside_bytes']:,}", f"{way['saved_bytes']:,}", *fits])
    lines.append("")
    if rows:
        lines.append("What would help:")
        header = ["option", "arena", "saves", *([] if limit is None else ["fits"])]
        lines += text_table(header, rows).rstrip("\n").split("\n")
    for way in record["ways"]:
        if way["refused"] is not None:
            lines.append(f"{way['option']}: not for this model: {way['refused']}.")
        elif not way["saved_bytes"]:
            lines.append(f"{way['option']}: saves nothing.")
    return "\n".join(lines) + "\n"


def _short(name: str) -> str:
    """The first of the names that a converter joined, and no more than fits a line."""
    first = name.split(";")[0]
    return first if len(first) <= LONGEST_NAME else first[: LONGEST_NAME - 3] + "..."
