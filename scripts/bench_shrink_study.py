"""How long does `shrink study` take, and the arena of a changed width? `python scripts/bench_shrink_study.py [NAME ...]`.

The Keras networks of `networks.py`, those that `models/` is made of, untrained: the plan depends on shapes alone. Seconds are CPU
time of one process. With `--json`, as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import networks
import numpy as np
from bench_shrink import one_thread

from tflm_split import shrink
from tflm_split.report.table import text_table
from tflm_split.shrink.studied import Study
from tflm_split.shrink.widths import full_widths, one_step, removed_units

NAMES = ("digits_dscnn", "digits_resnet8", "digits_mobilenet_v1_025_96", "digits_mobilenet_v2", "digits_autoencoder")
MOST_CHANGES = 12


def timed(name: str) -> dict[str, Any]:
    """Seconds of a study with a limit of half the split arena, of a re-evaluation, and of one with addresses."""
    model = networks.RECIPES[name].network(None)
    x = np.random.default_rng(0).normal(size=(64, *model.input_shape[1:])).astype(np.float32)
    began = time.process_time()
    study = shrink.study(model, max_arena="8KB", calibration=x)
    study_s = time.process_time() - began
    near, placed = [], []
    for removed in changes(study):
        began = time.process_time()
        study.costs.near(removed)
        near.append(time.process_time() - began)
    for removed in changes(study)[:3]:
        began = time.process_time()
        study.costs.placed(removed)
        placed.append(time.process_time() - began)
    found = {"study_s": study_s, "again_s": max(near, default=0), "placed_s": max(placed, default=0)}
    return {
        "model": name, **{k: round(v, 3) for k, v in found.items()}, "stock": study.stock.arena,
        "split": study.split.arena, "least": study.least.arena, "rows": study.resolution,
    }  # fmt: skip


def changes(study: Study) -> list[frozenset[int]]:
    """Each group two steps narrower, which the study did not ask for yet."""
    full, scores = full_widths(study.trace), np.zeros(study.trace.units)
    return [
        removed_units(study.trace, {**full, name: two_steps(width, study.multiple)}, scores)
        for name, width in list(full.items())[:MOST_CHANGES]
    ]


def two_steps(width: int, multiple: int) -> int:
    return one_step(one_step(width, width, multiple), width, multiple)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time `shrink study`.")
    parser.add_argument(
        "names", nargs="*", default=NAMES, metavar="NAME", help="networks; default: those of MLPerf Tiny"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    one_thread()
    found = [timed(name) for name in arguments.names]
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print(text_table(list(found[0]), [[str(value) for value in line.values()] for line in found]), end="")


if __name__ == "__main__":
    main()
