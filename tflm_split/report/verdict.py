"""The result of running two files on the same inputs, in TFLM where it runs, as a record and as text."""

from __future__ import annotations

from typing import Final, Literal

from tflm_split.ir.graph import Model
from tflm_split.report.command_records import VerdictRecord, VerdictSide
from tflm_split.report.record import SCHEMA, model_identity
from tflm_split.report.table import text_table
from tflm_split.verify.compare import Comparison
from tflm_split.verify.level import level_words
from tflm_split.verify.tflm import TflmRun

_Measured = Literal["measured_head_bytes", "measured_tail_bytes", "measured_arena_bytes", "file_bytes"]
_ROWS: Final[tuple[tuple[str, _Measured], ...]] = (
    ("head", "measured_head_bytes"),
    ("tail", "measured_tail_bytes"),
    ("arena", "measured_arena_bytes"),
    ("file", "file_bytes"),
)


def verdict_record(original: Model, optimized: Model, comparison: Comparison, seed: int) -> VerdictRecord:
    """Both files, the memory that TFLM measured of each in bytes, and the verdict, as JSON values."""
    return {
        "schema": SCHEMA,
        "tflm_version": comparison.tflm_version,
        "original": _side(original, comparison.original_run),
        "optimized": _side(optimized, comparison.optimized_run),
        "verified": {
            "inputs": comparison.inputs,
            "seed": seed,
            "bit_exact": comparison.bit_exact,
            "distinct_outputs": comparison.distinct_outputs,
            "first_difference": comparison.first_difference,
            "level": comparison.level,
            "assumed": list(comparison.assumed),
            "not_in_tflm_because": comparison.reason,
        },
    }


def _side(model: Model, run: TflmRun | None) -> VerdictSide:
    return {
        **model_identity(model),
        "measured_head_bytes": run.head_bytes if run else None,
        "measured_tail_bytes": run.tail_bytes if run else None,
        "measured_arena_bytes": run.arena_bytes if run else None,
    }


def verdict_text(record: VerdictRecord) -> str:
    """The verdict, then the memory of both files. Ends in a newline."""
    verified = record["verified"]
    tested = f"{verified['inputs']} inputs, {verified['distinct_outputs']} different outputs"
    how = level_words(verified["level"], record["tflm_version"], verified["assumed"], verified["not_in_tflm_because"])
    if verified["bit_exact"] is None:
        verdict = f"NOT COMPARED, {how}."
    elif verified["bit_exact"]:
        verdict = f"Equal: every byte of {tested}, {how}."
    else:
        verdict = f"DIFFERENT{'' if verified['level'] == 'tflm' else f' {how}'}: {verified['first_difference']}."
    measured = [row for row in _ROWS if record["original"][row[1]] is not None]
    rows = [[title, f"{record['original'][key]:,}", f"{record['optimized'][key]:,}"] for title, key in measured]
    table = text_table(["bytes, measured", record["original"]["name"], record["optimized"]["name"]], rows)
    return f"{verdict}\n\n{table}"
