"""Random Keras networks lose random channels: `python scripts/fuzz_shrink.py [COUNT] [--first SEED] [--masks-only]`.

For each: the sliced network computes what the masked one does, to float tolerance; its int8 file has the shapes of the whole
network's file that was cut; and it runs split in TFLM, bit for bit. `tests/keras_networks.py` makes the networks.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from keras_networks import Maker, random_removal  # tests/ is no package

import tflm_split
from tflm_split.shrink.convert import converted, traced_to_int8
from tflm_split.shrink.file_map import file_map
from tflm_split.shrink.slicing import mask_weights, sliced
from tflm_split.shrink.trace import trace
from tflm_split.tflite.reader import read_model


def check_masks(seed: int) -> None:
    """Raises AssertionError unless the sliced network of a seed computes what the masked one does."""
    model = Maker(seed).network()
    traced = trace(model)
    removed = random_removal(traced, seed)
    small = sliced(traced, removed)
    mask_weights(traced, removed)
    x = samples(model, seed)
    masked, got = np.asarray(model(x)), np.asarray(small(x))
    np.testing.assert_allclose(got, masked, rtol=1e-4, atol=1e-5 * max(1.0, float(np.abs(masked).max())))


def check_file(seed: int) -> str:
    """Whether the file of a seed's sliced network was split, or kept because that saves nothing.

    Raises AssertionError where it gives other bytes, or has other shapes than the whole network's file that was cut.
    """
    model = Maker(seed).network()
    traced, x = trace(model), samples(model, seed)
    removed = random_removal(traced, seed)
    cut = file_map(read_model(traced_to_int8(traced, frozenset(), x)), traced).sliced(removed)
    file = converted(sliced(traced, removed, batch=1), x)
    assert shapes(cut) == shapes(read_model(file)), "the cut file has other shapes than the network converted again"
    result = tflm_split.optimize(file, effort=0, inputs=2)
    if result.report["kept_original"]:
        return "kept"
    assert result.report["verified"]["bit_exact"], "the split file does not give the same bytes"
    return "split"


def samples(model: Any, seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=(16, *model.input_shape[1:])).astype(np.float32)


def shapes(model: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(op.kind, model.graph.tensors[op.outputs[0]].shape) for op in model.graph.operators]


def main() -> int:
    parser = argparse.ArgumentParser(description="Check random Keras networks that lose channels.")
    parser.add_argument("count", nargs="?", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument(
        "--masks-only", action="store_true", help="no files: masked against sliced alone, a tenth of the time"
    )
    arguments = parser.parse_args()
    found: Counter[str] = Counter()
    began = time.process_time()
    for seed in range(arguments.first, arguments.first + arguments.count):
        try:
            check_masks(seed)
            found["equal" if arguments.masks_only else check_file(seed)] += 1
        except Exception as fault:  # all of them are counted
            found["wrong"] += 1
            print(f"seed {seed}: {type(fault).__name__}: {str(fault)[:300]}", flush=True)
            traceback.print_exc(limit=-3)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(found.items()))
    print(f"{arguments.count} networks: {counts}; {time.process_time() - began:.0f} s")
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
