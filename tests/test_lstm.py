"""Sequence LSTMs run step by step inside a region, and give TFLM's bytes inference after inference; int16 LOGISTIC and TANH."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from operator_cases import refusal
from streaming_networks import Streaming, lstms
from tiny_models import T, single_op

import tflm_split
from tflm_split.analysis.macs import graph_macs
from tflm_split.errors import Refusal
from tflm_split.kinds import OpKind
from tflm_split.rewrite.lstm import unrolled_lstm
from tflm_split.rewrite.states import with_states
from tflm_split.rewrite.svdf import Growing
from tflm_split.split.regions import split_graph
from tflm_split.tflite.reader import read_model
from tflm_split.verify import compare
from tflm_split.verify.own.machine import OwnMachine


def sequence(dtype: str, shape: tuple[int, int, int], seed: int, cell_power: int = -11, clip: float = 0.0) -> Streaming:
    """An LSTM alone: shape is (steps, depth, units)."""
    steps, depth, units = shape
    net = Streaming(1, 1, seed=seed)
    scale, hidden = (0.04, (1 / 128, seed - 3)) if dtype == "INT8" else (1e-4, (1 / 32768, 0))
    net.tensors[net.first] = T((1, steps, depth), dtype, scale, -5 if dtype == "INT8" else 0)
    net.lstm(units, hidden, cell_power, clip)
    return net


@pytest.mark.parametrize("dtype", ["INT8", "INT16"])
@pytest.mark.parametrize(
    ("shape", "cell_power", "clip"),
    [((1, 3, 4), -12, 0.0), ((5, 1, 1), -11, 10.0), ((7, 6, 5), -15, 0.5), ((4, 9, 3), -9, 0.0), ((3, 2, 8), -4, 1.0)],
)
def test_an_lstm_gives_the_bytes_of_tflm_inference_after_inference(
    dtype: str, shape: tuple[int, int, int], cell_power: int, clip: float
) -> None:
    model = read_model(sequence(dtype, shape, 1, cell_power, clip).model())
    result = tflm_split.optimize(model.original, verify=False, effort="low")
    assert result.plan is not None and not result.plan.split.stock
    entries = list(compare.test_inputs(model.graph, 12, 3))
    compared = compare.compare(model, read_model(result.model), entries)
    assert compared.bit_exact, compared.first_difference
    assert compared.distinct_outputs > 9
    machine = OwnMachine(model)
    split = OwnMachine(read_model(result.model))
    assert [machine.invoke(entry) for entry in entries] == [split.invoke(entry) for entry in entries]
    assert not machine.assumed


def test_two_rows_of_states_and_one_of_the_input_are_enough() -> None:
    """Behind a convolution, which makes a row when it is asked for, and in front of a dense layer that takes rows in."""
    result = tflm_split.optimize(lstms(), verify=False)
    rows = {"the input": 9 * 6, "states of 5 units": 2 * 3 * 5, "states of 6 units": 3 * 6, "others": 10}
    assert result.report["original"]["planned_head_bytes"] == 176
    assert result.report["optimized"]["planned_head_bytes"] == sum(rows.values())


def test_its_multiply_accumulates_are_counted_alike_before_and_after() -> None:
    graph = read_model(sequence("INT8", (7, 6, 5), 2).model()).graph
    assert graph_macs(graph) == graph_macs(with_states(graph, ())) == 7 * 4 * 5 * (6 + 5)
    steps = [op for op in split_graph(with_states(graph, ())).row_ops if op.kind is OpKind.LSTM]
    assert sum(op.macs_per_step * op.steps for op in steps) == 7 * 4 * 5 * (6 + 5)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({16: 1}, "it has peepholes, a projection or a normalisation"),
        ({5: -1}, "it lacks a gate or a state"),
    ],
)
def test_another_lstm_stays_stock(inputs: dict[int, int], reason: str) -> None:
    graph = read_model(sequence("INT8", (3, 2, 2), 2).model()).graph
    (op,) = graph.operators
    changed = replace(op, inputs=tuple(inputs.get(k, t) for k, t in enumerate(op.inputs)))
    graph = graph.with_operators((changed,))
    assert with_states(graph, ()) == graph
    with pytest.raises(Refusal, match=reason):
        unrolled_lstm(Growing(graph, graph.operators[0]), graph.operators[0])


def test_without_its_steps_it_says_why() -> None:
    assert refusal(sequence("INT8", (3, 2, 2), 2).model())[1].startswith("it keeps state, and is not one of int8")


# LOGISTIC and TANH of int16.


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH"])
@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 2.0**-10, 0.0003, 1.1e-5, 0.0021])
def test_each_int16_gives_the_byte_of_tflm(kind: str, scale: float) -> None:
    source = T((1, 16, 16, 256), "INT16", scale)
    model = read_model(single_op(kind, [source], T(source.shape, "INT16", 1 / 32768)))
    result = tflm_split.optimize(model.original, verify=False)
    assert result.plan is not None and not result.plan.split.stock
    entries = [(np.arange(-32768, 32768).astype(np.int16).reshape(source.shape),)]
    compared = compare.compare(model, read_model(result.model), entries)
    assert compared.bit_exact, compared.first_difference
    assert OwnMachine(model).invoke(entries[0]) == OwnMachine(read_model(result.model)).invoke(entries[0])


@pytest.mark.parametrize(("scale", "target"), [(4.0, 1 / 32768), (0.0004, 1 / 1000)])
def test_int16_functions_of_other_scales_stay_stock(scale: float, target: float) -> None:
    model = single_op("TANH", [T((1, 4, 4, 2), "INT16", scale)], T((1, 4, 4, 2), "INT16", target))
    assert refusal(model)[0] == "quantization"
