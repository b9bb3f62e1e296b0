"""Weights of 4 bits are unpacked once, when the model is compiled: in which operators, and with TFLM's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from test_split_equals_tflm import check
from tflm_server import TflmServer
from tiny_models import Builder

from tflm_split.rewrite.int4_weights import INT4_WEIGHTS
from tflm_split.rewrite.normal_form import normal_form
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs as inputs_for
from tflm_split.verify.graph_oracle import run_graph_outputs
from tflm_split.verify.tflm import run_in_tflm


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def four_bit(b: Builder) -> Builder:
    """The same network with the 8 bits of all weights rounded to 4, and scales that make up for it."""
    for op in b.operators:
        for position in (1, 2) if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") else ():
            for t in op.inputs[position : position + 1]:
                given = b.tensors[t]
                assert given.data is not None and given.scale is not None
                data = np.clip(given.data // 17, -8, 7) if position == 1 else given.data // 17
                scales = (17 * np.asarray(given.scale)).tolist()
                dtype = "INT4" if position == 1 else given.dtype
                b.tensors[t] = replace(given, dtype=dtype, data=data.astype(given.data.dtype), scale=scales)
    return b


def network(per_channel: bool, channels: int = 5) -> bytes:
    """All three kinds; an odd number of weights with 5 channels."""
    b = Builder((1, 9, 7, 3), seed=channels)
    made = b.conv(b.input, channels, 3, 3, per_channel=per_channel, activation="RELU")
    made = b.depthwise(made, 3, 3, 2, per_channel=per_channel)
    made = b.conv(made, 7, 1, 1, bias=False, per_channel=per_channel)
    made = b.dense(b.mean(made, keep_dims=False), 3)
    return four_bit(b).finish(made)


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("channels", [5, 6])
def test_operators_with_int4_weights_give_tflms_bytes(tflm: TflmServer, per_channel: bool, channels: int) -> None:
    check(tflm, network(per_channel, channels), all_split=True)


def test_our_own_model_of_tflm_knows_them() -> None:
    model = network(True)
    graph = read_model(model).graph
    inputs = inputs_for(graph, 2, 0)
    run = run_in_tflm(model, inputs)
    for values, expected in zip(inputs, run.outputs, strict=True):
        assert tuple(y.tobytes() for y in run_graph_outputs(graph, values)) == expected


def test_each_weight_becomes_a_byte() -> None:
    b = Builder((1, 4, 4, 3))
    made = b.conv(b.input, 5, 1, 1)
    given = np.clip(b.tensors[b.operators[-1].inputs[1]].data // 17, -8, 7)
    graph = rewritten_split(read_model(four_bit(b).finish(made)).graph, SplitOptions()).graph
    (op,) = graph.operators
    weights = graph.tensors[op.inputs[1]]
    assert (op.rewrite, weights.dtype, weights.data) == (INT4_WEIGHTS, "INT8", given.astype(np.int8).tobytes())


def test_other_operators_and_broken_constants_stay_as_they_are() -> None:
    b = Builder((1, 4, 4, 3))
    made = b.conv(b.input, 5, 1, 1)
    graph = read_model(four_bit(b).finish(made)).graph
    (op,) = graph.operators
    short = replace(graph.tensors[op.inputs[1]], data=b"\1\2")
    broken = replace(graph, tensors=tuple(short if t.index == short.index else t for t in graph.tensors))
    transposed = replace(graph, operators=(replace(op, kind="TRANSPOSE_CONV"),))
    for changed in (broken, transposed):
        assert normal_form(changed, lambda graph, op: True).operators[0].inputs == op.inputs


def test_a_stretch_with_int4_weights_may_have_its_axes_swapped(tflm: TflmServer) -> None:
    """An int4 convolution in front of an int8 window of the whole height."""
    b = Builder((1, 9, 7, 3), seed=3)
    made = b.conv(b.input, 3, 2, 2, (1, 2), "VALID")
    b = four_bit(b)
    check(tflm, b.finish(b.pool(b.conv(made, 3, 8, 1, padding="VALID"), 1, 2, 1)))
    split = rewritten_split(read_model(b.finish()).graph, SplitOptions(swap_axes=1))
    assert not split.stock
