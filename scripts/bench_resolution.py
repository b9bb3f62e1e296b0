"""Accuracy and arena of the person network at several resolutions: `python scripts/bench_resolution.py CACHE`.

The network that `bench_shrink.py` trained at 96x96 is tuned for as many epochs at each resolution, on the same scenes, and nothing
is pruned. Results are files of `models/shrunk/`, as there.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import keras  # type: ignore[import-not-found]  # not installed where types are checked
import numpy as np
import shrink_data
import shrink_networks
from bench_shrink import RESULTS, Bench, one_thread, write

from tflm_split import pipeline, shrink
from tflm_split.options import options_from
from tflm_split.shrink.convert import CALIBRATION_SAMPLES, converted
from tflm_split.shrink.cost import cost_of, stock_cost
from tflm_split.tflite.reader import read_model

SIDES = (48, 64, 96, 128, 160)
EPOCHS, RATE = 4, 1e-3


def run(bench: Bench | None, side: int, path: Path) -> None:
    """Tune, convert, split and measure the network for pictures of `side` rows and columns. Without a bench, plan it only."""
    began = time.process_time()
    keras.utils.set_random_seed(0)
    single = shrink_networks.person(side, batch=1)
    if bench is None:
        x, accuracy, tested = np.random.default_rng(0).random((8, side, side, 3)).astype(np.float32), None, 0
        file = converted(single, x)
    else:
        data = shrink_data.person(bench.cache, side)
        count = bench.recipe.samples
        x, y, tested = data.x[:count], data.y[:count], len(data.y_test)
        model = shrink_networks.person(side)
        model.set_weights(bench.baseline(0).get_weights())
        bench.fit(model, EPOCHS, RATE, [], x, y)
        single.set_weights(model.get_weights())
        file = converted(single, x[:: max(1, len(x) // CALIBRATION_SAMPLES)][:CALIBRATION_SAMPLES])
        accuracy = shrink.accuracy_in_tflm(file, data.x_test, data.y_test)
    plain, streamed = (
        pipeline.optimize(file, options_from({"stream_input": stream, "inputs": 2})) for stream in (False, True)
    )
    model_file = read_model(file)
    write(
        path,
        {
            "data": "person", "method": "resolution", "side": side, "seed": 0, "test_samples": tested,
            "accuracy": accuracy, "stock": stock_cost(model_file).record(), "split": cost_of(model_file, plain).record(),
            "streamed": cost_of(model_file, streamed).record(),
            "bit_exact": [r.report["verified"]["bit_exact"] for r in (plain, streamed)],
            "cpu_s": round(time.process_time() - began, 1),
        },
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the person network at several resolutions.")
    parser.add_argument(
        "cache", type=Path, nargs="?", help="the folder of shrink_data.py; without it arenas are planned only"
    )
    parser.add_argument("--sides", nargs="*", type=int, choices=SIDES, default=SIDES, help="default: all")
    arguments = parser.parse_args()
    one_thread()
    bench = Bench("person", arguments.cache) if arguments.cache else None
    for side in arguments.sides:
        path = RESULTS / f"person_resolution_{side}_0.json"
        if not path.exists() or (bench and json.loads(path.read_text("utf-8"))["accuracy"] is None):
            run(bench, side, path)
            print(f"{path.stem}: {path.read_text('utf-8')}", flush=True)


if __name__ == "__main__":
    main()
