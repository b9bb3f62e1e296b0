"""What does each axis of splitting bring: rows, tiles of columns, groups of channels?

`python scripts/bench_axes.py [file.tflite ...] [--max-slowdown X ...] [--update]`; without files, the models of `models/` that are
hard to cut into rows. Every result is verified in TFLM, and its head is the one TFLM measures. Prints Markdown; `--update`
puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import tflm_split
from tflm_split.options import DEFAULT_SLOWDOWN
from tflm_split.report.table import markdown_table

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_memory import BENCHMARKS, ROOT, updated

DEFAULT_MODELS = ("languages_text", "digits_wide", "digits_tail")
SLOWDOWNS = (DEFAULT_SLOWDOWN, 1.2)
CHOICES = ("rows", "rows,columns", "channels", "rows,channels")
HEADER = (
    "model", "slowdown allowed", "stock", "rows", "alive at least", "rows,columns", "channels", "rows,channels",
    "below stock", "below rows",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="The head with each axis of splitting switched off.")
    parser.add_argument("models", nargs="*", type=Path, metavar="file.tflite", help="default: three of models/")
    parser.add_argument(
        "--max-slowdown", type=float, nargs="+", default=SLOWDOWNS, help="as for tflm-split optimize (default 1.05 1.2)"
    )
    parser.add_argument("--update", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    paths = arguments.models or [ROOT / "models" / f"{name}.tflite" for name in DEFAULT_MODELS]
    rows = [row(measure(path, slowdown)) for path in paths for slowdown in arguments.max_slowdown]
    table = markdown_table(HEADER, rows)
    print(table)
    if arguments.update:
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), {"axes": table}))


def measure(path: Path, max_slowdown: float) -> dict[str, Any]:
    """The limit, and the record of each of `CHOICES`.

    Raises VerificationError for a result that does not do what the original does.
    """
    records = {axes: tflm_split.optimize(path, axes=axes, max_slowdown=max_slowdown).report for axes in CHOICES}
    return {"max_slowdown": max_slowdown, **records}


def row(measured: dict[str, Any]) -> list[str]:
    """One line of the table: heads as TFLM measured them, and what is alive at the worst step of the order found."""
    both = measured["rows,channels"]
    stock = both["original"]["measured_head_bytes"]
    heads = {axes: measured[axes]["optimized"]["measured_head_bytes"] for axes in CHOICES}
    return [
        both["model"]["name"],
        str(measured["max_slowdown"]),
        f"{stock:,}",
        f"{heads['rows']:,}",
        f"{measured['rows']['optimized']['lower_bound_bytes']:,}",
        f"{heads['rows,columns']:,}",
        f"{heads['channels']:,}",
        f"{heads['rows,channels']:,}",
        f"{1 - heads['rows,channels'] / stock:.1%}",
        f"{1 - heads['rows,channels'] / heads['rows']:.1%}",
    ]


if __name__ == "__main__":
    main()
