"""What does the height of a piece cost and bring: one row, several, or whole maps?

`python scripts/bench_heights.py [file.tflite ...] [--board m7] [--update]`; without files, three models of `models/`. For each
height the best cuts of the file's order are placed, the program is run on the emulated board, and its outputs are compared
with those of the first. Prints Markdown; `--update` puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tflm_split.board.run import run_on_board
from tflm_split.lower.assemble import lower
from tflm_split.lower.compile import compile_schedule
from tflm_split.plan.effort import DEFAULT_EFFORT
from tflm_split.report.table import markdown_table
from tflm_split.schedule.cuts import best_cuts
from tflm_split.schedule.heights import kernel_changes, taller
from tflm_split.schedule.orders import tuck_aliases
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_memory import BENCHMARKS, ROOT, updated

DEFAULT_MODELS = ("digits_dscnn", "digits_mobilenet_v2", "digits_resnet8")
HEIGHTS = (1, 2, 4, 8, 1_000_000)
HEADER = ("model", "rows per piece", "head", "lower bound", "changes of kernel", "instructions", "against one row")


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory and instructions by the height of a piece.")
    parser.add_argument("models", nargs="*", type=Path, metavar="file.tflite", help="default: three of models/")
    parser.add_argument("--board", default="m7", help="the emulated board (default m7)")
    parser.add_argument("--update", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    rows = []
    for path in arguments.models or [ROOT / "models" / f"{name}.tflite" for name in DEFAULT_MODELS]:
        rows += measured(path, arguments.board)
    table = markdown_table(HEADER, rows)
    print(table)
    if arguments.update:
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), {"heights": table}))


def measured(path: Path, board: str) -> list[list[str]]:
    """A row per height; raises SystemExit when two heights disagree on the outputs."""
    model = read_model(path)
    split = rewritten_split(model.graph, SplitOptions())
    order = tuck_aliases(split, range(len(split.graph.operators)))
    inputs = test_inputs(model.graph, 1, 0)
    rows: list[list[str]] = []
    outputs: set[str] = set()
    first = 0
    for height in HEIGHTS:
        step_graph = taller(build_step_graph(split), height)
        schedule = best_cuts(step_graph, order, split.stock)
        plan = compile_schedule(split, step_graph, schedule, DEFAULT_EFFORT)
        ran = run_on_board(lower(model, plan).model.original, board, inputs)
        outputs.add(ran.outputs_sha256)
        first = first or ran.instructions
        rows.append(
            [
                path.stem,
                "all" if height == HEIGHTS[-1] else str(height),
                f"{plan.planned_head_bytes:,}",
                f"{schedule.live_peak_bytes:,}",
                f"{kernel_changes(step_graph, schedule.steps):,}",
                f"{ran.instructions:,}",
                f"{ran.instructions / first:.3f}",
            ]
        )
    if len(outputs) > 1:
        raise SystemExit(f"{path}: heights disagree on the outputs")
    return rows


if __name__ == "__main__":
    main()
