"""What does less memory cost in time?

`python scripts/bench_pareto.py [file.tflite ...] [--max-slowdown X] [--effort E] [--json FILE] [--update]`; without files, two
models of `models/` and, where it is there, some of the corpus of real models at `../shared/corpus/models`. Every point of a
front is verified in TFLM. Prints Markdown: the fronts, and the smallest heads on them within two limits on slowdown;
`--update` puts both tables into docs/benchmarks.md, and writes and draws `docs/figures/front.json` (`draw_front.py`, which
needs the extra `report`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tflm_split
from tflm_split.options import DEFAULT_SLOWDOWN
from tflm_split.report.front import front_record
from tflm_split.report.table import markdown_table

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_memory import BENCHMARKS, FOLDERS, updated

MODELS = (
    "digits_dscnn", "digits_mobilenet_v2", "vww_micronet_vww2", "sil_kws_mobilenetv2", "kws_micronet_l", "ad_micronet_large",
    "gen_unet_96",
)  # fmt: skip
LIMITS = (DEFAULT_SLOWDOWN, 1.2)
FRONT_HEADER = (
    "model", "head", "predicted instructions on m7", "slowdown", "multiply-accumulates", "program without constants",
)  # fmt: skip
LIMIT_HEADER = (
    "model", f"head at {LIMITS[0]}", f"head at {LIMITS[1]}", "change", "predicted instructions", "multiply-accumulates",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Fronts of memory against predicted instructions.")
    parser.add_argument("models", nargs="*", type=Path, metavar="file.tflite", help="default: models/ and the corpus")
    parser.add_argument("--max-slowdown", type=float, default=2.0, help="how slow a point may be (default 2.0)")
    parser.add_argument("--effort", default="default", help="as for tflm-split optimize")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the fronts there")
    parser.add_argument(
        "--update", action="store_true", help="put the tables into docs/benchmarks.md, and draw the fronts"
    )
    arguments = parser.parse_args()
    fronts = []
    for path in arguments.models or _paths(MODELS):
        results = tflm_split.pareto(path, max_slowdown=arguments.max_slowdown, effort=arguments.effort)
        fronts.append(front_record(path.stem, [result.report for result in results]))
        print(f"{path.stem}: done", file=sys.stderr, flush=True)
    tables = {"front": front_table(fronts), "slowdown": limit_table(fronts)}
    print("\n".join(tables.values()))
    if arguments.json:
        arguments.json.write_text(json.dumps(fronts, indent=1) + "\n")
    if arguments.update:
        import draw_front

        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), tables))
        draw_front.FRONTS.write_text(json.dumps(fronts, indent=1) + "\n")
        draw_front.main()


def front_table(fronts: Sequence[Mapping[str, Any]]) -> str:
    """A line for each point of each front, the fastest first."""
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
    return markdown_table(FRONT_HEADER, rows)


def limit_table(fronts: Sequence[Mapping[str, Any]]) -> str:
    """The smallest head of each front within each of `LIMITS`, and what the second costs against the first."""
    rows = []
    for front in fronts:
        small, smaller = ([point for point in front["points"] if point["slowdown"] <= limit][-1] for limit in LIMITS)
        heads = [point["planned_head_bytes"] for point in (small, smaller)]
        rows.append(
            [
                front["model"],
                *(f"{head:,}" for head in heads),
                f"{heads[1] / heads[0] - 1:+.1%}",
                f"{smaller['predicted_instructions'] / small['predicted_instructions']:.2f}",
                f"{smaller['macs'] / small['macs']:.2f}",
            ]
        )
    return markdown_table(LIMIT_HEADER, rows)


def _paths(names: Sequence[str]) -> list[Path]:
    """Where models of these names are; those that are not here are left out."""
    found = (folder / f"{name}.tflite" for name in names for folder in FOLDERS)
    return [path for path in found if path.exists()]


if __name__ == "__main__":
    main()
