"""What does splitting save, and how long does it take?

`python scripts/bench_memory.py [file.tflite ...] [--repeats N] [--json FILE] [--update]`; without files, all of `models/`
and, where it is there, of the corpus of real models at `../shared/corpus/models`. Every model is optimised and verified in
TFLM, then optimised again N times without verification; the time is the median of those. A model with a float interface
has a second row, with `--int8-io`. Prints Markdown; `--json` also writes the records, times included; `--update` puts the
tables into docs/benchmarks.md, that of `models/` and that of other files each between its two marks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tflm_split
from tflm_split.errors import TflmSplitError
from tflm_split.report.table import markdown_table
from tflm_split.tflite.reader import read_model

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
FOLDERS = (ROOT / "models", ROOT.parent / "shared" / "corpus" / "models")
HEADER = (
    "model", "head before", "head after", "lower bound", "tail before", "tail after", "Cortex-M before",
    "Cortex-M after", "ratio", "operators split", "seconds",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory before and after splitting, and the time it takes.")
    parser.add_argument("models", nargs="*", type=Path, metavar="file.tflite", help="default: models/ and the corpus")
    parser.add_argument(
        "--repeats", type=int, default=3, help="timed runs without verification (default 3, 0 for none)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the records there")
    parser.add_argument("--update", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    paths = arguments.models or [path for folder in FOLDERS for path in sorted(folder.glob("*.tflite"))]
    records: dict[str, list[dict[str, Any]]] = {"models": [], "corpus": []}
    for path in paths:
        found = records["models" if path.resolve().parent == FOLDERS[0] else "corpus"]
        for int8_io in (False, True) if _has_float_interface(path) else (False,):
            try:
                found.append(measure(path, int8_io, arguments.repeats))
            except TflmSplitError as error:
                print(f"{path.stem}: {error}", file=sys.stderr, flush=True)
    tables = {name: markdown_table(HEADER, [row(r) for r in found]) for name, found in records.items() if found}
    print("\n".join(tables.values()))
    measured = [record for found in records.values() for record in found]
    print(legend(measured))
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=1) + "\n")
    if arguments.update:
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), tables))


def updated(readme: str, tables: Mapping[str, str]) -> str:
    """`readme` with each table between `<!-- bench NAME -->` and `<!-- end -->`."""
    for name, table in tables.items():
        mark = f"<!-- bench {name} -->\n"
        before, rest = readme.split(mark)
        readme = f"{before}{mark}{table}{rest[rest.index('<!-- end -->') :]}"
    return readme


def measure(path: Path, int8_io: bool, repeats: int) -> dict[str, Any]:
    """The JSON record of one model, with `int8_io` and `optimize_seconds` (median; None without timed runs)."""
    record = tflm_split.optimize(path, int8_io=int8_io).report
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        tflm_split.optimize(path, int8_io=int8_io, verify=False)
        seconds.append(time.perf_counter() - start)
    print(f"{path.stem}: done", file=sys.stderr, flush=True)
    return {**record, "int8_io": int8_io, "optimize_seconds": statistics.median(seconds) if seconds else None}


def row(record: dict[str, Any]) -> list[str]:
    """One line of the table; bytes as TFLM measured them, the Cortex-M arena to set aside as predicted."""
    before, after, seconds = record["original"], record["optimized"], record["optimize_seconds"]
    arenas = [part["predicted_arm32_minimum_arena_bytes"] for part in (before, after)]
    return [
        record["model"]["name"] + (" (int8 I/O)" if record["int8_io"] else ""),
        f"{before['measured_head_bytes']:,}",
        f"{after['measured_head_bytes']:,}",
        f"{after['lower_bound_bytes']:,}",
        f"{before['measured_tail_bytes']:,}",
        f"{after['measured_tail_bytes']:,}",
        f"{arenas[0]:,}",
        f"{arenas[1]:,}",
        f"{arenas[1] / arenas[0]:.2f}",
        f"{after['split_ops']} of {record['model']['ops']}",
        "-" if seconds is None else f"{seconds:.1f}",
    ]


def legend(records: list[dict[str, Any]]) -> str:
    """How many of the results are the same as their originals, and how many are worse off."""
    exact = sum(record["verified"]["bit_exact"] for record in records)
    worse = [r["model"]["name"] for r in records if _arena(r, "optimized") > _arena(r, "original")]
    inputs = records[0]["verified"]["inputs"] if records else 0
    return (
        f"{exact} of {len(records)} are equal to their originals in every output byte on {inputs} inputs; "
        f"{len(worse)} need more memory than before."
    )


def _arena(record: dict[str, Any], part: str) -> int:
    return int(record[part]["measured_arena_bytes"])


def _has_float_interface(path: Path) -> bool:
    try:
        graph = read_model(path).graph
    except TflmSplitError:
        return False
    return any(graph.tensors[t].dtype == "FLOAT32" for t in (*graph.inputs, *graph.outputs))


if __name__ == "__main__":
    main()
