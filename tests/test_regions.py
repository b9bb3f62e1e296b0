"""Which operators of a network are split, which stay stock and why, and which rewrites and reshapes come with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from random_networks import Network, networks
from split_stages import every_compilation, planned, scheduled
from tflm_server import TflmServer
from tiny_models import Builder

from tflm_split.errors import InternalError, Refusal
from tflm_split.ir.graph import Graph
from tflm_split.lower.compile import compile_schedule
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.search.base import rewritten_split
from tflm_split.split import regions
from tflm_split.split.crossing import may_cross
from tflm_split.split.operators import RESHAPES, SPLITTERS
from tflm_split.split.regions import Split, SplitOptions, split_graph
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs as inputs_for


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def network(*shape: int) -> Network:
    return Network(shape)


def split(model: bytes) -> Split:
    return split_graph(read_model(model).graph)


def stock_kinds(found: Split) -> list[str]:
    return [found.graph.operators[k].kind for k in sorted(found.stock)]


def test_every_operator_is_split_aliased_or_stock_and_stock_has_a_reason() -> None:
    n = network(1, 8, 8, 4)
    made = n.conv(n.input, 4)
    found = split(n.finish(n.reversed(made), n.reshape(made, (1, 256))))
    assert stock_kinds(found) == ["REVERSE_V2"]
    assert {op.source for op in found.row_ops} == {0}
    assert found.aliased == {2}
    assert found.refusals[1].reason == "each of its output rows needs every input row"


def test_reshapes_among_stock_operators_stay_stock() -> None:
    n = network(1, 8, 8, 4)
    seen = n.reshape(n.reshape(n.reversed(n.input), (1, 64, 4)), (1, 8, 8, 4))
    found = split(n.finish(n.reversed(seen)))
    assert stock_kinds(found) == ["REVERSE_V2", "RESHAPE", "RESHAPE", "REVERSE_V2"]
    assert found.refusals[1].reason == "neither side of it is inside a region"


@pytest.mark.parametrize("in_front", [True, False])
def test_a_chain_of_reshapes_at_a_regions_border_is_free(in_front: bool) -> None:
    n = network(1, 8, 8, 4)
    if in_front:
        last = n.conv(n.reshape(n.reshape(n.reversed(n.input), (1, 64, 4)), (1, 8, 8, 4)), 2)
    else:
        last = n.reversed(n.reshape(n.reshape(n.conv(n.input, 4), (1, 64, 4)), (1, 8, 8, 4)))
    assert stock_kinds(split(n.finish(last))) == ["REVERSE_V2"]


def test_a_reshape_that_a_stock_operator_reads_beside_a_region_stays_stock() -> None:
    n = network(1, 8, 8, 4)
    seen = n.reshape(n.input, (1, 4, 16, 4))
    found = split(n.finish(n.reversed(seen), n.conv(seen, 2)))
    assert stock_kinds(found) == ["RESHAPE", "REVERSE_V2"]


def test_what_reads_an_input_that_is_an_output_stays_stock() -> None:
    b = Builder((1, 8, 8, 4))
    found = split(b.finish(b.conv(b.input, 4), b.input))
    assert stock_kinds(found) == ["CONV_2D"]
    assert found.refusals[0].reason == "its input is an input and an output of the model at once"


def test_a_slice_read_by_its_region_is_free() -> None:
    n = network(1, 8, 8, 4)
    inner = n.sliced(n.conv(n.input, 4), (0, 0, 0, 1), (1, 8, 8, 2), True)
    found = split(n.finish(n.unary("TANH", inner)))
    assert (set(found.stock), set(found.aliased)) == (set(), {1})


@pytest.mark.parametrize("how", ["output", "stock reader", "reshaped", "crossing"])
def test_a_slice_that_somebody_sees_as_a_tensor_is_copied(how: str) -> None:
    n = network(1, 8, 8, 4)
    part = n.sliced(n.conv(n.input, 4), (0, 0, 0, 1), (1, 8, 8, 2), True)
    outputs = [n.unary("TANH", part)]
    if how == "output":
        outputs.append(part)
    elif how == "stock reader":
        outputs.append(n.reversed(part))
    elif how == "reshaped":
        outputs.append(n.unary("RELU", n.reshape(part, (1, 8, 4, 4))))
    else:
        outputs.append(n.reversed(n.input))
    found = split(n.finish(*outputs))
    assert "STRIDED_SLICE" not in stock_kinds(found)
    assert 1 not in found.aliased


def test_a_slice_between_stock_operators_stays_stock() -> None:
    n = network(1, 8, 8, 4)
    part = n.sliced(n.reversed(n.input), (0, 0, 0, 1), (1, 8, 8, 2), True)
    found = split(n.finish(n.reversed(part), n.conv(n.input, 3)))
    assert stock_kinds(found) == ["REVERSE_V2", "STRIDED_SLICE", "REVERSE_V2"]


def test_a_pad_is_folded_only_into_a_convolution_that_can_be_split() -> None:
    def kinds(activation: str) -> list[str]:
        n = network(1, 8, 8, 4)
        padded = n.pad(n.conv(n.input, 4), [(0, 0), (1, 1), (1, 1), (0, 0)])
        graph = read_model(n.finish(n.conv(padded, 3, padding="VALID"))).graph
        *others, last = graph.operators
        last = replace(last, options={**last.options, "fused_activation_function": activation})
        found = rewritten_split(replace(graph, operators=(*others, last)), SplitOptions())
        return [op.kind for op in found.graph.operators]

    assert kinds("NONE") == ["CONV_2D", "CONV_2D"]
    assert kinds("TANH") == ["CONV_2D", "PAD", "CONV_2D"]


# Tensors that cross from one region into another.


def crossing(n: Network, outputs: tuple[int, ...], stock_kind: str = "REVERSE_V2") -> frozenset[int]:
    graph = read_model(n.finish(*outputs)).graph
    return may_cross(graph, frozenset(op.index for op in graph.operators if op.kind == stock_kind))


def test_in_a_chain_nothing_crosses_a_stock_operator() -> None:
    n = network(1, 8, 8, 4)
    last = n.conv(n.conv(n.reversed(n.conv(n.conv(n.input, 4), 4)), 4), 4)
    assert crossing(n, (last,)) == frozenset()


def test_a_branch_around_a_stock_operator_crosses_it() -> None:
    n = network(1, 8, 8, 4)
    made = n.conv(n.input, 4)
    last = n.add(made, n.conv(n.reversed(made), 4))
    assert crossing(n, (last,)) == {made}


def test_an_unrelated_stock_operator_may_run_at_any_time() -> None:
    n = network(1, 8, 8, 4)
    made = n.conv(n.input, 4)
    assert crossing(n, (n.conv(made, 2), n.reversed(n.input))) == {made}


def linear_orders(graph: Graph) -> list[list[int]]:
    """Every order in which the operators can run."""
    producers = graph.producers()
    needs = {op.index: {producers[t] for t in op.inputs if t in producers} for op in graph.operators}
    found: list[list[int]] = []

    def extend(order: list[int]) -> None:
        if len(order) == len(needs):
            found.append(order)
        for k in needs:
            if k not in order and needs[k] <= set(order):
                extend([*order, k])

    extend([])
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_operators=5))
def test_what_may_cross_does_cross_in_some_order(model: bytes) -> None:
    graph = read_model(model).graph
    if len(graph.operators) > 7:
        return
    stock = frozenset(op.index for op in graph.operators if op.kind in ("REVERSE_V2", "SOFTMAX", "ADD"))
    producers, consumers = graph.producers(), graph.consumers()
    expected = set()
    for order in linear_orders(graph):
        at = {k: i for i, k in enumerate(order)}
        for t, maker in producers.items():
            for reader in consumers.get(t, ()):
                between = order[at[maker] + 1 : at[reader]]
                if maker not in stock and reader not in stock and stock.intersection(between):
                    expected.add(t)
    assert may_cross(graph, stock) == expected


# Dead operators.


def test_operators_nobody_reads_are_dropped_chains_of_them_too() -> None:
    n = network(1, 8, 8, 4)
    made = n.conv(n.input, 4)
    n.unary("RELU", n.conv(made, 2))
    graph = read_model(n.finish(n.unary("TANH", made))).graph
    dropped = drop_dead(graph, SPLITTERS.keys() | RESHAPES)
    assert [(op.kind, op.source) for op in dropped.operators] == [("CONV_2D", (0,)), ("TANH", (3,))]


def test_an_operator_that_may_do_more_than_compute_is_kept_with_what_it_reads() -> None:
    n = network(1, 8, 8, 4)
    n.reversed(n.conv(n.input, 2))
    graph = read_model(n.finish(n.unary("TANH", n.input))).graph
    assert drop_dead(graph, SPLITTERS.keys()) is graph


# The result.


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_steps_are_whole_operators_or_rows_of_what_is_split(model: bytes) -> None:
    graph = read_model(model).graph
    for in_place in (False, True):
        found = rewritten_split(graph, SplitOptions(concatenate_in_place=in_place))
        sources = {op.source for op in found.row_ops}
        everything = set(range(len(found.graph.operators)))
        assert sources | found.aliased | found.stock == everything
        assert not (sources & found.aliased or sources & found.stock or found.aliased & found.stock)
        assert found.stock <= found.refusals.keys()
        for storage in found.storages.storages:
            for t in storage.tensors:
                assert max(found.storages.rows_of(t), default=0) < storage.rows
        for op in found.row_ops:
            for read in op.reads:
                if not found.graph.tensors[read.tensor].is_constant:
                    view = found.storages.view(read.tensor, read.shape)
                    assert view.first_row + view.shape.rows <= found.storages.storages[view.storage].rows


def test_a_model_without_anything_to_split_has_no_region() -> None:
    n = network(1, 8, 8, 4)
    plan_of = split(n.finish(n.reversed(n.input)))
    assert not plan_of.row_ops
    assert plan_of.stock == {0}


def test_regions_are_what_lies_between_stock_operators() -> None:
    n = network(1, 8, 8, 4)
    first = n.unary("RELU", n.conv(n.input, 4))
    last = n.unary("TANH", n.conv(n.reversed(first), 4))
    plan = planned(read_model(n.finish(last)).graph)
    assert [r.nodes for r in plan.regions] == [(0, 1), (3, 4)]
    reverse = plan.split.graph.operators[2]
    assert [(r.inputs, r.outputs) for r in plan.regions] == [((n.input,), (first,)), (reverse.outputs, (last,))]


def between(graph: Graph, nodes: Sequence[int]) -> set[int]:
    """The operators outside `nodes` that need something of `nodes`, and that `nodes` need something of."""
    producers = graph.producers()
    needs: dict[int, set[int]] = {}
    for op in graph.operators:
        direct = {producers[t] for t in op.inputs if t in producers}
        needs[op.index] = direct.union(*(needs[k] for k in direct))
    inside = set(nodes)
    before = set().union(*(needs[n] for n in inside))
    return {k for k in before - inside if needs[k] & inside}


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_operators=5, stock=True))
def test_nothing_outside_a_region_stands_between_its_operators(tflm: TflmServer, model: bytes) -> None:
    original = read_model(model)
    inputs = inputs_for(original.graph, 2, 0)
    expected = None
    for compiled in every_compilation(model):
        plan = compiled.plan
        for region in plan.regions:
            assert not between(plan.split.graph, region.nodes)
        expected = expected or tflm.run(model, inputs).outputs
        assert tflm.run(compiled.optimized, inputs).outputs == expected


def test_an_order_that_puts_an_operator_before_its_operand_is_a_bug() -> None:
    n = network(1, 8, 8, 4)
    split = split_graph(read_model(n.finish(n.unary("TANH", n.reversed(n.conv(n.input, 4))))).graph)
    step_graph, schedule = scheduled(split)
    with pytest.raises(InternalError, match=r"op 2 TANH 't\d+' would run before op 1 REVERSE_V2"):
        compile_schedule(split, step_graph, replace(schedule, nodes=(0, 2, 1)), 1)


def test_groups_of_channels_keep_to_the_most_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Path(__file__).resolve().parent.parent / "models" / "digits_resnet8.tflite"
    whole = rewritten_split(read_model(model.read_bytes()).graph, SplitOptions())
    cut = regions.cut_operators(whole.graph)
    steps = sum(op.steps for op in whole.row_ops)
    tensor = min(cut.rules.groupable)
    channels = whole.graph.tensors[tensor].shape[-1]
    halves = SplitOptions(channel_groups={tensor: (channels // 2, channels - channels // 2)})
    assert sum(op.steps for op in regions.fit(cut, halves).row_ops) > steps
    monkeypatch.setattr(regions, "MAX_STEPS", steps)
    assert regions.fit(cut, SplitOptions()).stock == whole.stock
    with pytest.raises(Refusal, match="more steps than can be planned"):
        regions.fit(cut, halves)
