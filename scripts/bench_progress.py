"""How long does `optimize` say nothing? The longest silence between two calls of its progress, stage by stage.

`python scripts/bench_progress.py model.tflite [...]`; the exit code is 1 where a silence is longer than a second.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise

import tflm_split
from tflm_split.report.table import text_table

MOST_S = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--effort", default="default")
    arguments = parser.parse_args()
    rows = [row for path in arguments.models for row in _silences(path, arguments.effort)]
    print(text_table(["model", "stage", "calls", "longest silence, s"], [[*row[:3], f"{row[3]:.2f}"] for row in rows]))
    return 1 if any(row[3] > MOST_S for row in rows) else 0


def _silences(path: str, effort: str) -> list[tuple[str, str, str, float]]:
    """(model, stage, calls, longest silence that began in it in seconds) of each stage."""
    told: list[tuple[float, str]] = []
    tflm_split.optimize(path, effort=effort, progress=lambda stage, *_: told.append((time.monotonic(), stage)))
    told.append((time.monotonic(), "end"))
    found: dict[str, tuple[int, float]] = {}
    for (start, stage), (stop, _) in pairwise(told):
        calls, longest = found.get(stage, (0, 0.0))
        found[stage] = calls + 1, max(longest, stop - start)
    return [(path, stage, str(calls), longest) for stage, (calls, longest) in found.items()]


if __name__ == "__main__":
    sys.exit(main())
