"""The predicted arena is the one TFLM reports on an emulated Cortex-M4, to the byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import Builder, Op, T, build_model
from x64_arena import minimum_x64_arena_bytes

from tflm_split.analysis.arena import predicted_arm32_arena
from tflm_split.errors import TflmError
from tflm_split.tflite.reader import read_model
from tflm_split.verify.tflm import run_in_tflm

CORPUS = Path(__file__).resolve().parents[1].parent / "shared" / "corpus" / "models"

MEASURED_ON_CORTEX_M4 = {
    "mlperf_vww96_int8": (73_728, 26_932, 100_672),
    "mlperf_kws_int8": (16_000, 6_772, 22_784),
    "mlperf_resnet8_int8": (49_152, 5_188, 54_352),
    "mlperf_ad01_int8": (768, 1_492, 2_704),
    "mlperf_strww_int8": (6_656, 8_596, 15_264),
}
"""Head, tail and smallest arena that starts, with TFLM's reference kernels, in bytes."""


@pytest.mark.parametrize("name", MEASURED_ON_CORTEX_M4)
def test_arena_is_the_measured_one(name: str) -> None:
    path = CORPUS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"the corpus is not there: {path.name}")
    head, tail, minimum = MEASURED_ON_CORTEX_M4[name]
    prediction = predicted_arm32_arena(read_model(path), head)
    assert (prediction.tail_bytes, prediction.minimum_arena_bytes, prediction.exact) == (tail, minimum, True)
    assert prediction.arena_bytes == head + tail


def split_model(io_bytes: int = 64, workspace_bytes: int = 256) -> bytes:
    """A model that is one region: one operator, its program, input, output and workspace."""
    quantized = {"scale": 0.1, "zero_point": 0}
    tensors = [
        T((1, io_bytes), **quantized),
        T((100,), "INT8", data=np.zeros(100, np.int8)),
        T((1, 10), **quantized),
        T((workspace_bytes,)),
    ]
    return build_model(tensors, [Op("CUSTOM:TFLM_SPLIT", [0, 1], [2, 3])], [0], [2])


def test_the_split_operator_keeps_nothing_but_its_node() -> None:
    prediction = predicted_arm32_arena(read_model(split_model()), 256)
    interface = 2 * (16 + 32 + 12 + 8)
    fixed = 132 + 4 * 12 + 32
    assert prediction.exact
    assert fixed + interface - 24 <= prediction.tail_bytes <= fixed + interface


def test_a_small_head_leaves_the_planner_without_room() -> None:
    prediction = predicted_arm32_arena(read_model(split_model(16, 16)), 48)
    assert prediction.minimum_arena_bytes > prediction.arena_bytes


def test_an_unknown_operator_makes_the_prediction_an_estimate_that_names_it() -> None:
    model = build_model([T((4,), scale=0.1), T((4,), scale=0.1)], [Op("CUSTOM:OTHER", [0], [1])], [0], [1])
    prediction = predicted_arm32_arena(read_model(model), 32)
    assert (prediction.exact, prediction.unknown) == (False, ("CUSTOM:OTHER",))


def test_a_variable_lies_in_the_tail() -> None:
    def model(elements: int) -> bytes:
        tensors = [T((4,), scale=0.1), T((elements,), scale=0.1, is_variable=True), T((4,), scale=0.1)]
        return build_model(tensors, [Op("RELU", [0], [2])], [0], [2])

    assert (
        predicted_arm32_arena(read_model(model(1024)), 32).tail_bytes
        - predicted_arm32_arena(read_model(model(16)), 32).tail_bytes
        == 1008
    )


def test_the_smallest_x64_arena_starts_and_a_little_less_does_not() -> None:
    builder = Builder((1, 8, 8, 4), seed=3)
    x = builder.input
    for _ in range(12):
        x = builder.conv(x, 4, 1, 1)
    model = builder.finish()
    inputs = [[np.zeros((1, 8, 8, 4), np.int8)]]
    run = run_in_tflm(model, inputs)
    minimum = minimum_x64_arena_bytes(read_model(model), run.head_bytes, run.tail_bytes)
    assert minimum > run.arena_bytes
    assert run_in_tflm(model, inputs, arena_size=minimum).outputs == run.outputs
    with pytest.raises(TflmError):
        run_in_tflm(model, inputs, arena_size=minimum - 48)
