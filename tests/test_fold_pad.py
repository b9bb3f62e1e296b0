"""A PAD disappears into the convolutions that read it, where that is exact and the convolution can be split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import Network
from split_stages import planned, scheduled
from tflm_server import TflmServer

from tflm_split.ir.graph import Graph
from tflm_split.lower.assemble import lower
from tflm_split.lower.compile import compile_schedule
from tflm_split.rewrite.fold_pad import fold_pad
from tflm_split.split.operators import split_operator
from tflm_split.split.regions import SplitOptions, split_graph
from tflm_split.tflite.reader import read_model

Pads = list[tuple[int, int]]
AROUND: Pads = [(0, 0), (1, 2), (0, 1), (0, 0)]


def network(*shape: int) -> Network:
    return Network(shape or (1, 8, 6, 4))


def folded(n: Network, *outputs: int, accept: bool = True) -> Graph:
    return fold_pad(read_model(n.finish(*outputs)).graph, lambda graph, op: accept)


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.operators]


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def test_a_pad_becomes_the_convolutions_explicit_padding() -> None:
    n = network()
    graph = folded(n, n.conv(n.pad(n.input, AROUND), 2, padding="VALID"))
    (op,) = graph.operators
    assert (op.kind, op.inputs[0], op.source) == ("CONV_2D", n.input, (0, 1))
    assert op.options["padding"] == "EXPLICIT"
    assert [op.options[f"pad_{side}"] for side in ("top", "bottom", "left", "right")] == [1, 2, 0, 1]


def test_what_same_would_pad_comes_on_top() -> None:
    n = network(1, 8, 6, 4)
    graph = folded(n, n.depthwise(n.pad(n.input, AROUND), 3, 3, 2, "SAME"))  # 11 x 7 padded, to 6 x 4
    (op,) = graph.operators
    assert [op.options[f"pad_{side}"] for side in ("top", "bottom", "left", "right")] == [2, 3, 1, 2]


def test_every_reader_takes_the_pad_in() -> None:
    n = network()
    padded = n.pad(n.input, AROUND)
    graph = folded(n, n.conv(padded, 2, padding="VALID"), n.depthwise(padded, padding="VALID"))
    assert kinds(graph) == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    assert [op.source for op in graph.operators] == [(0, 1), (0, 2)]


def test_padv2_is_folded_when_it_fills_with_the_zero_point() -> None:
    for difference, left in ((0, ["CONV_2D"]), (1, ["PADV2", "CONV_2D"])):
        n = network()
        zero_point = n.tensors[n.input].zero_point
        assert isinstance(zero_point, int)
        padded = n.padded_with(n.input, AROUND, zero_point + difference)
        assert kinds(folded(n, n.conv(padded, 2, padding="VALID"))) == left


@pytest.mark.parametrize(
    "why",
    ["output", "other reader", "batch or channels", "quantisation", "not accepted", "not the data", "unknown padding"],
)
def test_a_pad_stays(why: str) -> None:
    n = network()
    padded = n.pad(n.input, [(0, 0), (1, 2), (0, 1), (0, 1)] if why == "batch or channels" else AROUND)
    outputs = [n.conv(padded, 2, padding="VALID")]
    if why == "output":
        outputs.append(padded)
    if why == "other reader":
        outputs.append(n.unary("RELU", padded))
    model = read_model(n.finish(*outputs))
    graph = model.graph
    if why == "quantisation":
        tensors = list(graph.tensors)
        quantization = tensors[padded].quantization
        assert quantization is not None
        tensors[padded] = replace(tensors[padded], quantization=replace(quantization, scales=(0.5,)))
        graph = replace(graph, tensors=tuple(tensors))
    if why == "not the data":
        conv = graph.operators[1]
        graph = replace(graph, operators=(graph.operators[0], replace(conv, inputs=(padded, padded, conv.inputs[2]))))
    if why == "unknown padding":
        conv = graph.operators[1]
        graph = replace(
            graph, operators=(graph.operators[0], replace(conv, options=dict(conv.options) | {"padding": "7"}))
        )
    assert kinds(fold_pad(graph, lambda graph, op: why != "not accepted")) == kinds(graph)


def test_one_reader_that_is_not_accepted_keeps_the_pad_for_all() -> None:
    n = network()
    padded = n.pad(n.input, AROUND)
    graph = read_model(n.finish(n.conv(padded, 2, padding="VALID"), n.depthwise(padded, padding="VALID"))).graph
    assert kinds(fold_pad(graph, lambda graph, op: op.kind == "CONV_2D")) == kinds(graph)


def test_a_graph_without_pads_is_the_same_graph() -> None:
    n = network()
    graph = read_model(n.finish(n.conv(n.input, 2))).graph
    assert fold_pad(graph, lambda graph, op: True) == graph


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.tuples(*[st.integers(0, 3)] * 4),
    st.sampled_from([(1, 1), (3, 3), (2, 3), (5, 1)]),
    st.tuples(st.integers(1, 3), st.integers(1, 2)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.sampled_from(["SAME", "VALID"]),
    st.booleans(),
)
def test_folding_is_exact_in_tflm(
    tflm: TflmServer,
    pads: tuple[int, int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
    depthwise: bool,
) -> None:
    n = network(1, 13, 8, 3)
    padded = n.pad(n.conv(n.input, 4, 1, 1), [(0, 0), pads[:2], pads[2:], (0, 0)])
    if depthwise:
        last = n.depthwise(padded, *kernel, stride, padding, dilation=dilation, multiplier=2)
    else:
        last = n.conv(padded, 5, *kernel, stride, padding, dilation=dilation)
    model = read_model(n.finish(last))
    graph = fold_pad(model.graph, lambda graph, op: bool(split_operator(graph, op)))
    assert "PAD" not in kinds(graph)
    split = split_graph(graph, SplitOptions())
    assert not split.stock
    plan = compile_schedule(split, *scheduled(split), 0)
    optimized = lower(model, plan).model.original
    inputs = [[np.random.default_rng(k).integers(-128, 128, (1, 13, 8, 3)).astype(np.int8)] for k in range(3)]
    assert tflm.run(optimized, inputs).outputs == tflm.run(model.original, inputs).outputs


def test_a_folded_pad_costs_no_memory() -> None:
    n = network(1, 16, 8, 4)
    with_pad = n.finish(n.conv(n.pad(n.conv(n.input, 4), AROUND), 2, padding="VALID"))
    plan = planned(read_model(with_pad).graph)
    assert all(op.kind.name != "PAD" for region in plan.regions for op in region.program.ops)
