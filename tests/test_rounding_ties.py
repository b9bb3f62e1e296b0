"""Ratios of scales are doubles in the pinned wheel, float32 in other TFLM sources. The difference shows at ties.

Each case is a pair of scales at which the two give different bytes for some input.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tflm_server import TflmServer
from tiny_models import T, single_op

from tflm_split.ir.graph import Graph
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph_outputs

BYTES = np.arange(-128, 128, dtype=np.int8)


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def _scales(rng: np.random.Generator, divisor: float = 1.0) -> tuple[float, float]:
    """(input, output) scale whose ratio times some input is very nearly a half."""
    output = float(np.float32(rng.uniform(0.003, 0.05)))
    odd, value = 2 * int(rng.integers(1, 300)) + 1, int(rng.integers(20, 127))
    return float(np.float32(output * odd / (2 * value) / divisor)), output


def _agrees(tflm: TflmServer, model: bytes, values: np.ndarray) -> bool:
    graph: Graph = read_model(model).graph
    return tflm.run(model, [[values]]).outputs[0][0] == run_graph_outputs(graph, [values])[0].tobytes()


@pytest.mark.parametrize("seed", range(40))
def test_element_wise_operators_at_ties(tflm: TflmServer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = BYTES.reshape(1, 1, 1, 256)
    (source, target), zero_point = _scales(rng), int(rng.integers(-128, 128))
    for kind, options in (("RELU", {}), ("LEAKY_RELU", {"alpha": 0.2}), ("QUANTIZE", {})):
        tensors = T(values.shape, scale=source, zero_point=zero_point), T(values.shape, scale=target, zero_point=-5)
        assert _agrees(tflm, single_op(kind, [tensors[0]], tensors[1], **options), values), kind


@pytest.mark.parametrize("seed", range(40))
def test_fully_connected_at_ties(tflm: TflmServer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight_scale = float(np.float32(rng.uniform(0.003, 0.05)))
    source, target = _scales(rng, divisor=weight_scale)
    weights = T((1, 1), scale=weight_scale, data=np.ones((1, 1), np.int8))
    model = single_op("FULLY_CONNECTED", [T((256, 1), scale=source), weights], T((256, 1), scale=target))
    assert _agrees(tflm, model, BYTES.reshape(256, 1))


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("seed", range(10))
def test_binary_operators_at_ties(tflm: TflmServer, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    source, target = _scales(rng)
    other = T((1, 1), scale=float(np.float32(source * 1.5)), zero_point=3, data=np.array([[7]], np.int8))
    model = single_op(kind, [T((256, 1), scale=source), other], T((256, 1), scale=target))
    assert _agrees(tflm, model, BYTES.reshape(256, 1))
