"""Fits what TFLM's own operators cost, and writes `tflm_split/analysis/stock_instructions.json`.

    python scripts/measure_stock.py [FOLDER ...] [-o FILE]

`stock_instructions.csv` holds what whole models took on emulated boards. Each model is looked for in `models/`, in
`../shared/corpus/models` and in each FOLDER; those that are not there are left out. The cost of a feature
(`tflm_split/analysis/stock_latency.py`) is what explains the models best: least squares of the relative errors, no cost
below zero. Prints the errors.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
from bench_memory import ROOT
from measure_kernels import SAME_CORE, nonnegative_least_squares

from tflm_split.analysis.stock_latency import STOCK_TABLE_PATH, features
from tflm_split.tflite.reader import read_model

MEASURED = Path(__file__).with_name("stock_instructions.csv")
FOLDERS = (ROOT / "models", ROOT.parent / "shared" / "corpus" / "models")
TYPES = ("int16", "float")
SAME_KERNELS = {"m4": "m7", **SAME_CORE, "netduinoplus2": "m7", "rv32gc": "rv32imc"}
"""Boards whose kernels are those of a board that was measured."""


Models = Mapping[str, tuple[Mapping[str, int], int]]
"""By model: how often each feature occurs, and what it took."""


def measured(folders: tuple[Path, ...]) -> dict[str, Models]:
    """By board: what was measured."""
    lines = [line for line in MEASURED.read_text().splitlines() if not line.startswith("#")]
    found: dict[str, dict[str, tuple[Mapping[str, int], int]]] = {}
    counts: dict[str, dict[str, int]] = {}
    for line in csv.DictReader(lines):
        name = line["model"]
        if name not in counts:
            path = next((f / f"{name}.tflite" for f in folders if (f / f"{name}.tflite").exists()), None)
            if path is None:
                click.echo(f"{name}: not found, left out", err=True)
                continue
            graph = read_model(path).graph
            total: dict[str, int] = {}
            for op in graph.operators:
                for feature, count in features(graph, op).items():
                    total[feature] = total.get(feature, 0) + count
            counts[name] = total
        found.setdefault(line["board"], {})[name] = (counts[name], int(line["instructions"]))
    return {**found}


def fitted(models: Models) -> tuple[dict[str, float], dict[str, float]]:
    """The cost of each feature, and the relative error of each model.

    The costs of int8 are fitted first and then kept: the few models of other types have little to say about them.
    """
    of_bytes = {name: model for name, model in models.items() if not any(f.split()[0] in TYPES for f in model[0])}
    costs = fit(of_bytes, {})
    costs = fit({name: model for name, model in models.items() if name not in of_bytes}, costs)
    errors = {
        name: sum(costs.get(f, 0.0) * count for f, count in counts.items()) / takes - 1
        for name, (counts, takes) in models.items()
    }
    return costs, errors


def fit(models: Models, known: dict[str, float]) -> dict[str, float]:
    """`known` costs, and those of the other features that occur in `models`."""
    names = sorted({name for counts, _ in models.values() for name in counts} - known.keys())
    if not names:
        return known
    table = np.array([[counts.get(name, 0) for name in names] for counts, _ in models.values()], float)
    takes = np.array([takes for _, takes in models.values()], float)
    before = np.array([sum(known.get(f, 0.0) * n for f, n in counts.items()) for counts, _ in models.values()])
    scale = table.max(axis=0)
    costs = nonnegative_least_squares(table / scale / takes[:, None], 1 - before / takes) / scale
    return known | {name: float(f"{cost:.4g}") for name, cost in zip(names, costs, strict=True)}


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=STOCK_TABLE_PATH, help="The table to write.")
def main(folders: tuple[Path, ...], output: Path) -> None:
    """Fit the costs of TFLM's own operators to what whole models took."""
    costs = {}
    for board, models in measured((*FOLDERS, *folders)).items():
        if len(models) < 8:
            continue
        costs[board], errors = fitted(models)
        sizes = np.abs(list(errors.values()))
        worst = max(errors, key=lambda name: abs(errors[name]))
        click.echo(
            f"{board:8} {len(models):2} models, error mean {sizes.mean():5.1%}, "
            f"max {sizes.max():5.1%} ({worst} {errors[worst]:+.1%})"
        )
    boards = {b: b for b in costs} | {b: on for b, on in SAME_KERNELS.items() if on in costs and b not in costs}
    boards |= {b: SAME_KERNELS[on] for b, on in SAME_KERNELS.items() if SAME_KERNELS.get(on) in costs}
    table = {
        "about": "Instructions per feature of TFLM's own operators; python scripts/measure_stock.py writes it",
        "boards": dict(sorted(boards.items())),
        "instructions": costs,
    }
    output.write_text(json.dumps(table, indent=0) + "\n")


if __name__ == "__main__":
    sys.exit(main())
