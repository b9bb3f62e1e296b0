"""Operators that run whole: their order is the best there is, and rewritten concatenations give the same bytes in TFLM."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from math import prod
from pathlib import Path

import pytest
from tiny_models import Builder

import tflm_split
from tflm_split.analysis.liveness import live_peak_bytes
from tflm_split.lower.assemble import lower
from tflm_split.lower.compile import compile_schedule
from tflm_split.plan.effort import DEFAULT_EFFORT
from tflm_split.schedule.whole_operators import WholeOperators, rewritten_order, whole_operators
from tflm_split.split.regions import split_graph
from tflm_split.tflite.reader import read_model
from tflm_split.verify.evidence import Made
from tflm_split.verify.verification import verify

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from bench_orders import least_of_all_orders  # noqa: E402  # scripts/ is no package
from cells import CELLS, INPUT, Layers, darts_normal, file_order, randwire, swiftnet, tflite  # noqa: E402

SMALL: dict[str, Callable[[], Layers]] = {
    "darts": lambda: darts_normal(6, 8),
    "swiftnet": lambda: swiftnet(4, 6, 4, seed=1),
    "swiftnet of more nodes": lambda: swiftnet(6, 5, 4, seed=2),
    "randwire": lambda: randwire(4, 8, seed=1, nodes=6),
    "randwire of more nodes": lambda: randwire(3, 4, seed=2, nodes=8),
}


@pytest.mark.parametrize("name", SMALL)
def test_no_order_of_operators_is_better(name: str) -> None:
    graph = read_model(tflite(SMALL[name]())).graph
    found = whole_operators(split_graph(graph)).order
    assert found.peak_bytes == found.lower_bound_bytes == least_of_all_orders(graph, 200_000)
    assert found.peak_bytes <= live_peak_bytes(graph)


@pytest.mark.parametrize("name", SMALL)
def test_rewriting_never_costs_memory(name: str) -> None:
    graph = read_model(tflite(SMALL[name]())).graph
    assert rewritten_order(graph).order.peak_bytes <= whole_operators(split_graph(graph)).order.peak_bytes


@pytest.mark.parametrize("name", SMALL)
def test_a_reordered_and_rewritten_cell_gives_the_same_bytes(name: str) -> None:
    content = tflite(SMALL[name]())
    model = read_model(content)
    found = rewritten_order(model.graph, in_place=True)
    schedule = found.schedule
    assert runs_whole(found)
    plan = compile_schedule(found.split, found.step_graph, schedule, DEFAULT_EFFORT)
    assert verify(model, lower(model, plan).model, Made(3, 0)).bit_exact


def runs_whole(found: WholeOperators) -> bool:
    """Whether no task begins before the one before it has ended."""
    task_of = {s: k for k, steps in enumerate(found.steps) for s in steps}
    order = [task_of[s] for s in found.schedule.steps]
    return sum(a != b for a, b in pairwise(order)) == len(found.steps) - 1


@pytest.mark.parametrize("name", ["darts", "swiftnet", "randwire"])
def test_a_split_cell_gives_the_same_bytes_in_less_memory(name: str) -> None:
    result = tflm_split.optimize(tflite(SMALL[name]()), effort="low", inputs=3)
    assert result.report["verified"]["bit_exact"]
    head = {part: result.report[part]["measured_head_bytes"] for part in ("original", "optimized")}
    assert head["optimized"] < head["original"]


def test_a_concatenation_before_a_convolution_need_not_exist() -> None:
    """Two halves of 800 bytes and their concatenation of 1,600 are 3,200 bytes. Without it, halves, sums and output are less."""
    net = Builder((1, 10, 10, 4), seed=3)
    halves = [net.conv(net.input, 8, 1), net.conv(net.input, 8, 1)]
    graph = read_model(net.finish(net.conv(net.concat(halves), 2, 1))).graph
    # The second half is requantised like the first. Then the input and the old second half are dead.
    assert whole_operators(split_graph(graph)).order.peak_bytes == 800 + 800 + 1600
    sums = 10 * 2 * 4
    assert rewritten_order(graph).order.peak_bytes == max(800 + 800 + 400, 800 + 800 + sums + 200)


def test_an_addition_whose_operand_dies_is_written_over_it() -> None:
    net = Builder((1, 8, 8, 4), seed=4)
    first = net.conv(net.input, 4, 1)
    graph = read_model(net.finish(net.conv(net.add(first, net.conv(first, 4, 1)), 4, 1))).graph
    size = 8 * 8 * 4
    assert whole_operators(split_graph(graph)).order.peak_bytes == 3 * size
    assert whole_operators(split_graph(graph), in_place=True).order.peak_bytes == 2 * size


def test_a_function_of_one_tensor_is_computed_within_the_addition_that_reads_it() -> None:
    """Before: two sources that are needed later, a RELU of each, and the sum in place of one of these. After: the
    sources, the sum and one row of each RELU."""
    net = Builder((1, 8, 8, 4), seed=6)
    first = net.conv(net.input, 4, 1)
    second = net.conv(net.input, 4, 1)
    total = net.add(net.unary("RELU", first), net.unary("RELU", second))
    graph = read_model(net.finish(net.add(net.add(total, first), second))).graph
    size, row = 8 * 8 * 4, 8 * 4
    assert whole_operators(split_graph(graph), in_place=True).order.peak_bytes == 4 * size
    assert rewritten_order(graph, in_place=True).order.peak_bytes == 3 * size + 2 * row


def test_a_window_runs_over_its_dying_input_some_rows_behind() -> None:
    """Row k of a 3x3 depthwise convolution needs input rows up to k + 1, which are not overwritten yet."""
    net = Builder((1, 8, 8, 4), seed=5)
    first = net.conv(net.input, 4, 1)
    graph = read_model(net.finish(net.conv(net.depthwise(first), 4, 1))).graph
    row = 8 * 4
    assert whole_operators(split_graph(graph)).order.peak_bytes == 2 * 8 * row
    assert 9 * row < whole_operators(split_graph(graph), in_place=True).order.peak_bytes <= 10 * row


def test_the_same_cell_is_the_same_file() -> None:
    assert tflite(SMALL["randwire"]()) == tflite(SMALL["randwire"]())
    assert tflite(SMALL["randwire"]()) != tflite(SMALL["randwire"](), seed=1)


@pytest.mark.parametrize("name", CELLS)
def test_operators_stand_in_an_order_in_which_they_can_run(name: str) -> None:
    layers = CELLS[name]()
    order = file_order(layers)
    assert sorted(order) == [k for k, layer in enumerate(layers) if layer.kind != INPUT]
    position = {k: at for at, k in enumerate(order)}
    assert all(position[n] < position[k] for k in order for n in layers[k].inputs if n in position)
    assert all(prod(layer.shape) > 0 for layer in layers)
