"""What does a plan alone save, without a custom operator (`--target stock`)?

`python scripts/bench_stock.py [file.tflite ...] [--cells] [--effort E] [--json FILE] [--from FILE ...] [--update]`; without files,
the corpus of real models at `../shared/corpus/models`, where it is there. Each model is planned for the reference kernels and for
CMSIS-NN's on a Cortex-M7, verified in TFLM both times, and split for comparison. `--cells` adds the cells of `cells.py`.
`--update` puts the table into docs/targets.md. `--bounds` says of how many models no plan of this kind has a smaller head.
"""

from __future__ import annotations

import argparse
import json
import sys
from math import exp, log
from pathlib import Path
from typing import Any

from bench_memory import ROOT, updated
from cells import CELLS, tflite

import tflm_split
from tflm_split.analysis.kernel_sets import kernel_set
from tflm_split.errors import InputError, TflmSplitError
from tflm_split.options import KERNELS
from tflm_split.plan.effort import DEFAULT_EFFORT
from tflm_split.report.footprint import head_with
from tflm_split.report.table import markdown_table
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.schedule.orders import may_reorder
from tflm_split.stock.order import least_head_bytes
from tflm_split.stock.plan import stock_plan
from tflm_split.tflite.reader import read_model

TARGETS_PAGE = ROOT / "docs" / "targets.md"
CORPUS = ROOT.parent / "shared" / "corpus" / "models"
INPUTS = 3
HEADER = (
    "model", "stock head", "planned", "arena before", "planned", "head with CMSIS-NN", "planned", "arena before", "planned",
    "split head", "split arena",
)  # fmt: skip
ARENA = "predicted_arm32_minimum_arena_bytes"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Plans without a custom operator, against stock TFLM and split models."
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="file")
    parser.add_argument("--cells", action="store_true", help="also the irregular cells of scripts/cells.py")
    parser.add_argument("--effort", default="low", help="for splitting, as for tflm-split optimize")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the records there")
    parser.add_argument("--from", type=Path, nargs="+", dest="sources", metavar="FILE", help="read records")
    parser.add_argument("--bounds", action="store_true", help="compare planned heads with lower bounds of all orders")
    parser.add_argument("--update", action="store_true", help="put the tables into docs/targets.md")
    arguments = parser.parse_args()
    records: list[dict[str, Any]] = []
    for source in arguments.sources or ():
        records += json.loads(source.read_text())
    if arguments.bounds:
        print(bounds(arguments.files or sorted(CORPUS.glob("*.tflite"))))
        return
    if not arguments.sources:
        sources: list[tuple[str, str, bytes]] = [
            ("corpus", p.stem, p.read_bytes()) for p in arguments.files or sorted(CORPUS.glob("*.tflite"))
        ]
        sources += [("cells", name, tflite(CELLS[name]())) for name in CELLS] if arguments.cells else []
        for group, name, content in sources:
            try:
                records.append({"group": group, "name": name, **measure(content, arguments.effort)})
            except TflmSplitError as error:
                print(f"{name}: {error}", file=sys.stderr, flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(records, indent=1) + "\n")
    tables = {}
    for group in ("corpus", "cells"):
        chosen = [record for record in records if record["group"] == group]
        if chosen:
            tables[f"stock_{group}"] = markdown_table(HEADER, [*map(row, chosen), means(chosen)])
    print("\n".join(tables.values()))
    if arguments.update:
        TARGETS_PAGE.write_text(updated(TARGETS_PAGE.read_text(), tables))


def measure(content: bytes, effort: str) -> dict[str, Any]:
    """All numbers of one model; raises VerificationError when a plan gives other outputs."""
    record: dict[str, Any] = {}
    for kernels in KERNELS:
        result = tflm_split.optimize(content, target="stock", kernels=kernels, inputs=INPUTS)
        before, after = result.report["original"], result.report["optimized"]
        found = kernel_set(kernels, "m7")
        record[kernels] = {
            "heads": [head_with(read_model(data), found) for data in (content, result.model)],
            "arenas": [part[ARENA] for part in (before, after)],
        }
    split = tflm_split.optimize(content, effort=effort, verify=False).report["optimized"]
    return {**record, "split": [split["planned_head_bytes"], split[ARENA]]}


def bounds(paths: list[Path]) -> str:
    """How many plans for CMSIS-NN's kernels on a Cortex-M7 reach the lower bound of every order of operators."""
    kernels, reached, above = kernel_set("cmsis-nn", "m7"), 0, list[str]()
    for path in paths:
        model = read_model(path)
        try:
            found = stock_plan(model, kernels, DEFAULT_EFFORT)
        except InputError as error:
            print(f"{path.stem}: {error}", file=sys.stderr, flush=True)
            continue
        graph = drop_dead(model.graph) if may_reorder(model.graph) else model.graph
        least = least_head_bytes(graph, kernels.name, kernels.scratch(model)) or found.layout.lower_bound_bytes
        if found.head_bytes == least:
            reached += 1
        else:
            above.append(path.stem)
    more = f"; not {', '.join(above)}" if above else ""
    return f"{reached} of {reached + len(above)} planned heads are the least of all orders{more}"


def row(record: dict[str, Any]) -> list[str]:
    numbers = [n for kernels in KERNELS for pair in ("heads", "arenas") for n in record[kernels][pair]]
    return [record["name"], *(f"{n:,}" for n in (*numbers, *record["split"]))]


def means(records: list[dict[str, Any]]) -> list[str]:
    """How many times smaller, as geometric means."""

    def mean(pairs: list[tuple[int, int]]) -> str:
        return f"{exp(sum(log(before / after) for before, after in pairs) / len(pairs)):.2f}x"

    cells = ["geometric mean"]
    for kernels in KERNELS:
        for pair in ("heads", "arenas"):
            cells += ["", mean([record[kernels][pair] for record in records])]
    for k, pair in enumerate(("heads", "arenas")):
        cells.append(mean([(record["reference"][pair][0], record["split"][k]) for record in records]))
    return cells


if __name__ == "__main__":
    main()
