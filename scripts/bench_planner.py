"""How good is the planner alone? Bound, head and seconds for packing problems in CSV files, without a model.

`python scripts/bench_planner.py problems/*.csv [--effort default]` prints a Markdown table, the hardest problems first.
`python scripts/bench_planner.py --write problems file.tflite ...` takes the problems from models: that of the plan which
`optimize` keeps. `plan/problem_file.py` documents the files.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import tflm_split
from tflm_split.plan.effort import parse_effort
from tflm_split.plan.first_fit import Distances
from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem_file import parse_problem, problem_csv
from tflm_split.report.table import markdown_table
from tflm_split.schedule.leeways import leeways
from tflm_split.schedule.lives import TENSOR_ALIGN

HEADER = ("problem", "bodies", "pairs", "bound", "head", "above the bound", "found by", "CPU s")


def main() -> None:
    parser = argparse.ArgumentParser(description="The planner's own benchmark.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--effort", default="default", help="as for optimize")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the problems of models to this folder")
    arguments = parser.parse_args()
    if arguments.write:
        arguments.write.mkdir(parents=True, exist_ok=True)
        for path in arguments.files:
            _write(path, arguments.write)
        return
    rows = sorted((_benched(path, parse_effort(arguments.effort)) for path in arguments.files), key=lambda row: -row[0])
    print(markdown_table(HEADER, [cells for _, cells in rows]), end="")


def _write(path: Path, folder: Path) -> None:
    """Write the problem of the plan that `optimize` keeps for a model."""
    found = tflm_split.optimize(path, verify=False).plan
    if found is not None:
        overlaps = leeways(found.step_graph, found.schedule.steps, found.bodies)
        (folder / f"{path.stem}.csv").write_text(problem_csv(found.bodies.bodies, overlaps))


def _benched(path: Path, effort: int) -> tuple[float, tuple[str, ...]]:
    """(Share of the head above the bound, the cells of the table) of one problem."""
    bodies, overlaps = parse_problem(path.read_text())
    started = time.process_time()
    layout = plan(bodies, effort, leeways=overlaps, granule_bytes=TENSOR_ALIGN)
    seconds = time.process_time() - started
    head_bytes = -(-layout.head_bytes // TENSOR_ALIGN) * TENSOR_ALIGN  # as the bound: what the arena has
    above = head_bytes / layout.lower_bound_bytes - 1
    pairs = Distances(bodies, overlaps).pairs
    numbers = (f"{n:,}" for n in (len(bodies), pairs, layout.lower_bound_bytes, head_bytes))
    return above, (path.stem, *numbers, f"{above:.2%}", layout.solver, f"{seconds:.2f}")


if __name__ == "__main__":
    main()
