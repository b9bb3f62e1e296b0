"""What does less memory cost in time?

`python scripts/bench_pareto.py [file.tflite ...] [--max-slowdown X] [--effort E] [--json FILE] [--update]`; without files, two
models of `models/`. Every point of the front is verified in TFLM. Prints Markdown; `--update` puts the table into README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import tflm_split
from tflm_split.report.front import front_record
from tflm_split.report.table import markdown_table

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_memory import README, ROOT, updated

DEFAULT_MODELS = ("digits_dscnn", "digits_mobilenet_v2")
HEADER = (
    "model",
    "head",
    "predicted instructions on m7",
    "slowdown",
    "multiply-accumulates",
    "program without constants",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fronts of memory against predicted instructions.")
    parser.add_argument("models", nargs="*", type=Path, metavar="file.tflite", help="default: two of models/")
    parser.add_argument("--max-slowdown", type=float, default=2.0, help="how slow a point may be (default 2.0)")
    parser.add_argument("--effort", default="default", help="as for tflm-split optimize")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the fronts there")
    parser.add_argument("--update", action="store_true", help="put the table into README.md")
    arguments = parser.parse_args()
    paths = arguments.models or [ROOT / "models" / f"{name}.tflite" for name in DEFAULT_MODELS]
    fronts = []
    for path in paths:
        results = tflm_split.pareto(path, max_slowdown=arguments.max_slowdown, effort=arguments.effort)
        fronts.append(front_record(path.stem, [result.report for result in results]))
    rows = [
        [
            front["model"],
            f"{point['planned_head_bytes']:,}",
            f"{point['predicted_instructions']:,}",
            f"{point['slowdown']:.2f}",
            f"{point['macs']:,}",
            f"{point['program_bytes']:,}",
        ]
        for front in fronts
        for point in front["points"]
    ]
    table = markdown_table(HEADER, rows)
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(fronts, indent=1) + "\n")
    if arguments.update:
        README.write_text(updated(README.read_text(), {"front": table}))


if __name__ == "__main__":
    main()
