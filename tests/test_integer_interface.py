"""Stripping QUANTIZE and DEQUANTIZE at a model's inputs and outputs: what changes, what is reported, what stays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from random_networks import Network
from split_stages import planned
from tflm_server import TflmServer
from tiny_models import Op, T, build_model

from tflm_split.ir.graph import Graph
from tflm_split.lower.assemble import lower
from tflm_split.rewrite.integer_interface import InterfaceChange, strip_float_interface
from tflm_split.tflite.reader import read_model


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def network() -> tuple[Network, int]:
    """A network whose second input is float, and the int8 tensor it becomes."""
    n = Network((1, 6, 4, 3))
    return n, n.float_input((1, 6, 4, 3))


def graph_of(n: Network, *outputs: int) -> Graph:
    return read_model(n.finish(*outputs)).graph


def test_a_float_input_and_output_become_int8() -> None:
    n, quantized = network()
    made = n.add(n.input, quantized)
    graph = graph_of(n, n.dequantized(made))
    stripped, changes = strip_float_interface(graph)
    assert (stripped.inputs, stripped.outputs) == ((n.input, quantized), (made,))
    assert [op.kind for op in stripped.operators] == ["ADD"]
    assert [(c.side, c.position, c.was, c.tensor) for c in changes] == [
        ("input", 1, graph.inputs[1], quantized),
        ("output", 0, graph.outputs[0], made),
    ]


def test_the_change_is_said_with_scale_and_zero_point() -> None:
    change = InterfaceChange("input", 1, 4, 5, "INT8", 0.25, -3)
    assert change.sentence() == "input 1 is INT8 now, not FLOAT32: real = 0.25 * (q - (-3))"
    n, quantized = network()
    _, (change,) = strip_float_interface(graph_of(n, n.add(n.input, quantized)))
    assert (change.scale, change.zero_point) == (n.scale(quantized), n.tensors[quantized].zero_point)


def test_an_integer_interface_is_left_alone() -> None:
    n = Network((1, 6, 4, 3))
    graph = graph_of(n, n.conv(n.input, 2))
    assert strip_float_interface(graph) == (graph, ())


@pytest.mark.parametrize("why", ["two readers", "read as float", "quantised output", "output read on"])
def test_a_conversion_stays(why: str) -> None:
    f, q = T((1, 4), "FLOAT32"), T((1, 4), scale=0.1)
    tensors = [f, q, q, T((1, 4), "FLOAT32")]
    operators = [Op("QUANTIZE", [0], [1]), Op("RELU", [1], [2])]
    outputs = [2]
    if why == "two readers":
        tensors.append(q)
        operators.append(Op("QUANTIZE", [0], [4]))
        outputs.append(4)
    elif why == "read as float":
        tensors = [f, f]
        operators, outputs = [Op("ABS", [0], [1])], [1]
    elif why == "quantised output":
        outputs.append(1)
    else:
        operators = [Op("RELU", [1], [2]), Op("DEQUANTIZE", [2], [3]), Op("ABS", [3], [4])]
        tensors.append(T((1, 4), "FLOAT32"))
        outputs = [3, 4]
    inputs = [1] if why == "output read on" else [0]
    graph = read_model(build_model(tensors, operators, inputs, outputs)).graph
    assert strip_float_interface(graph) == (graph, ())


def test_an_output_that_would_be_an_input_too_stays() -> None:
    graph = read_model(
        build_model([T((1, 4), scale=0.1), T((1, 4), "FLOAT32")], [Op("DEQUANTIZE", [0], [1])], [0], [1])
    ).graph
    assert strip_float_interface(graph) == (graph, ())


def test_two_outputs_of_one_tensor_are_stripped_once() -> None:
    tensors = [T((1, 4), scale=0.1), T((1, 4), scale=0.1), T((1, 4), "FLOAT32"), T((1, 4), "FLOAT32")]
    operators = [Op("RELU", [0], [1]), Op("DEQUANTIZE", [1], [2]), Op("DEQUANTIZE", [1], [3])]
    stripped, changes = strip_float_interface(read_model(build_model(tensors, operators, [0], [2, 3])).graph)
    assert len(changes) == 1
    assert stripped.outputs == (1, 3)


def test_the_stripped_model_computes_between_the_conversions_exactly_what_the_original_does(tflm: TflmServer) -> None:
    n, quantized = network()
    made = n.conv(n.add(n.input, quantized), 2)
    model = read_model(n.finish(n.dequantized(made)))
    graph, changes = strip_float_interface(model.graph)
    plan = planned(graph)
    optimized = lower(model, plan).model.original
    assert [t.dtype for t in (read_model(optimized).graph.tensors[i] for i in read_model(optimized).graph.inputs)] == [
        "INT8", "INT8"
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    entry, output = changes
    for _ in range(3):
        q = [rng.integers(-128, 128, (1, 6, 4, 3)).astype(np.int8) for _ in range(2)]
        real = ((q[1].astype(np.float64) - entry.zero_point) * entry.scale).astype(np.float32)
        wanted = np.frombuffer(tflm.run(model.original, [[q[0], real]]).outputs[0][0], np.float32)
        found = np.frombuffer(tflm.run(optimized, [q]).outputs[0][0], np.int8)
        assert ((found.astype(np.float64) - output.zero_point) * output.scale).astype(
            np.float32
        ).tolist() == wanted.tolist()
