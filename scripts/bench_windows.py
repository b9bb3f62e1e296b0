"""What does it save to remember what a window has in common with the one before?

`python scripts/bench_windows.py [--update]`: the keyword spotters of the corpus beside the repository, at several steps of the
window. Every model is verified in TFLM and measured on the emulated Cortex-M7. `--update` puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np
from bench_memory import BENCHMARKS, FOLDERS, updated

import tflm_split
from tflm_split.board.run import run_on_board
from tflm_split.report.record_types import BUDGET_KEY
from tflm_split.report.result import Result
from tflm_split.report.table import markdown_table

WINDOWS = (
    ("mlperf_kws_int8", (1, 2, 5)), ("mlperf_strww_int8", (1, 2, 5)), ("sil_kws_mobilenetv2", (1, 2)), ("digits_dscnn_16x8", (2,)),
)  # fmt: skip
"""Model, and by how many rows its window moves."""
BOARD = "m7"
HEADER = (
    "model", "moves by", "instructions, all computed", "remembering", "ratio", "MACs", "arena, all computed", "remembering",
    "warm-up", "smaller choice: instructions", "arena",
)  # fmt: skip


@click.command()
@click.option("--update", is_flag=True, help="Put the table into docs/benchmarks.md.")
def main(update: bool) -> None:
    """Instructions and arenas of windows that slide."""
    rows = []
    for name, steps in WINDOWS:
        path = next(folder / f"{name}.tflite" for folder in FOLDERS if (folder / f"{name}.tflite").is_file())
        whole = tflm_split.optimize(path, board=BOARD)
        for step in steps:
            rows.append(row(path, whole, step))
            click.echo(" | ".join(rows[-1]), err=True)
    table = markdown_table(HEADER, rows)
    click.echo(table, nl=False)
    if update:
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), {"windows": table}))


def row(path: Path, whole: Result, step: int) -> list[str]:
    """The cells of one model whose window moves by `step` rows."""
    fastest = tflm_split.optimize(path, reuse_window=step, board=BOARD)
    smallest = tflm_split.optimize(path, reuse_window=step, board=BOARD, max_arena=1)
    window = fastest.report["window"]
    assert window is not None
    before, after, least = (instructions(result) for result in (whole, fastest, smallest))
    return [
        path.stem,
        str(step),
        f"{before:,}",
        f"{after:,}",
        f"{after / before:.2f}",
        f"{fastest.report['optimized']['macs'] / whole.report['optimized']['macs']:.2f}",
        f"{whole.report['optimized'][BUDGET_KEY]:,}",
        f"{fastest.report['optimized'][BUDGET_KEY]:,}",
        str(window["warm_up"]),
        f"{least:,}",
        f"{smallest.report['optimized'][BUDGET_KEY]:,}",
    ]


def instructions(result: Result) -> int:
    """Measured, on one input: they hardly depend on the data."""
    rng = np.random.default_rng(0)
    region = result.plan.regions[0] if result.plan else None
    assert region is not None
    data = [rng.integers(0, 256, io.bytes, dtype=np.uint8).tobytes() for io in region.program.inputs]
    return run_on_board(result.model, BOARD, [data]).instructions


if __name__ == "__main__":
    sys.exit(main())
