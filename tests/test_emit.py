"""Regions, their borders and their programs: what programs contain, and that they compute the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from random_networks import Network, networks
from split_stages import planned
from tiny_models import Builder

from tflm_split.errors import Refusal
from tflm_split.kinds import OpKind
from tflm_split.lower.compile import Plan
from tflm_split.lower.emit import border, piece_index, region_runs, tensor_offset
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.types import Io, Program
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph
from tflm_split.verify.oracle import run_program


def network(*shape: int) -> Network:
    return Network(shape or (1, 8, 8, 4))


def plan_of(model: bytes, in_place: bool = False) -> Plan:
    return planned(read_model(model).graph, SplitOptions(concatenate_in_place=in_place), effort=2)


def only_program(model: bytes) -> Program:
    (region,) = plan_of(model).regions
    return region.program


# Regions.


@pytest.mark.parametrize(
    ("order", "stock", "runs"),
    [
        ((), {0}, ()),
        ((0, 1, 2), set(), ((0, 1, 2),)),
        ((0, 1, 2), {1}, ((0,), (2,))),
        ((2, 0, 3, 1), {0}, ((2,), (3, 1))),
        ((0, 1, 2), {0, 2}, ((1,),)),
        ((0, 1, 2, 3), {1, 2}, ((0,), (3,))),
        ((0, 1), {0, 1}, ()),
    ],
)
def test_a_region_is_a_run_without_a_stock_operator(
    order: tuple[int, ...], stock: set[int], runs: tuple[tuple[int, ...], ...]
) -> None:
    assert region_runs(order, frozenset(stock)) == runs


def test_what_crosses_the_border_is_an_input_or_an_output() -> None:
    n = network()
    first = n.conv(n.input, 4)  # 0
    second = n.unary("RELU", first)  # 1
    third = n.add(first, second)  # 2
    last = n.conv(third, 2)  # 3
    graph = read_model(n.finish(last, second)).graph
    assert border(graph, (0, 1, 2, 3)) == ((n.input,), (second, last))
    assert border(graph, (0, 1)) == ((n.input,), (first, second))
    assert border(graph, (2, 3)) == ((first, second), (last,))


def test_constants_do_not_cross_the_border() -> None:
    n = network()
    graph = read_model(n.finish(n.add(n.input, n.quantized_constant((1, 8, 8, 4))))).graph
    assert border(graph, (0,)) == ((n.input,), (graph.outputs[0],))


def test_the_same_bytes_under_two_names_are_one_input() -> None:
    n = network()
    turned = n.reversed(n.input)
    seen = n.reshape(turned, (1, 64, 4))
    plan = plan_of(n.finish(n.unary("RELU", turned), n.softmax(seen), n.add(turned, n.reshape(seen, (1, 8, 8, 4)))))
    for region in plan.regions:
        places = [(plan.offsets[t], plan.split.graph.tensors[t].bytes) for t in region.inputs]
        assert len(places) == len(set(places)) == len(region.program.inputs)


# Programs.


def test_inputs_and_outputs_lie_where_tflm_is_told() -> None:
    n = network()
    other = n.add_input((1, 8, 8, 4))
    made = n.add(n.conv(n.input, 4), other)
    plan = plan_of(n.finish(made, n.mean(made)))
    (region,) = plan.regions
    graph = plan.split.graph
    assert region.workspace_offset % 16 == 0
    for tensors, ios in ((region.inputs, region.program.inputs), (region.outputs, region.program.outputs)):
        expected = [Io(plan.offsets[t] - region.workspace_offset, graph.tensors[t].bytes) for t in tensors]
        assert list(ios) == expected
    assert all(offset % 16 == 0 for offset in plan.offsets.values())


def test_constants_of_equal_bytes_are_stored_once() -> None:
    b = Builder((1, 8, 8, 4))
    inner = b.unary("RELU6", b.conv(b.input, 4))
    program = only_program(b.finish(b.unary("RELU6", inner), inner))
    assert len(set(program.constants)) == len(program.constants)
    tables = [op.params["table_offset"] for op in program.ops if op.kind is OpKind.LUT]
    assert tables[0] == tables[1]


def test_one_constant_may_be_seen_as_rows_and_as_one_row() -> None:
    n = network()
    constant = n.quantized_constant((1, 8, 4))
    wide, flat = n.add(n.input, constant), n.add(n.add_input((1, 8, 4)), constant)
    program = only_program(n.finish(wide, flat))
    seen = {(s.row_count, s.row_bytes) for s in program.storages if s.constant is not None}
    assert seen == {(1, 32), (8, 4)}
    assert len({s.constant for s in program.storages if s.constant is not None}) == 1


def test_a_row_that_no_step_touches_has_no_address() -> None:
    b = Builder((1, 9, 4, 2))
    program = only_program(b.finish(b.conv(b.conv(b.input, 2, 1, 1), 2, 1, 1, 4)))
    made = program.storages[program.views[program.ops[0].output].storage]
    assert [a is not None for a in made.addresses] == [r % 4 == 0 for r in range(9)]


def test_a_reshape_is_a_view_and_no_op() -> None:
    b = Builder((1, 8, 4, 2))
    flat = b.reshape(b.conv(b.input, 2), (1, 32, 2))
    program = only_program(b.finish(b.dense(b.reshape(flat, (1, 64)), 3)))
    assert [op.kind for op in program.ops] == [OpKind.CONV, OpKind.DENSE_FEED]


def test_a_slice_is_a_view_and_no_op() -> None:
    n = network()
    part = n.sliced(n.conv(n.input, 4), (0, 2, 1, 1), (1, 3, 4, 2), True)
    program = only_program(n.finish(n.unary("TANH", part)))
    view = program.views[program.ops[1].input]
    assert (view.first_row, view.row_count, view.column_count, view.channel_count) == (2, 3, 4, 2)
    assert (view.pixel_stride_bytes, view.offset_bytes) == (4, 5)


def test_ops_name_the_operator_they_came_from() -> None:
    n = network()
    padded = n.pad(n.input, [(0, 0), (1, 1), (1, 1), (0, 0)])
    program = only_program(n.finish(n.conv(padded, 2, padding="VALID")))
    assert program.ops[0].source.startswith("op 0+1 CONV_2D")


def test_a_slice_of_a_concatenation_is_never_shown_to_tflm() -> None:
    """Earlier checks exclude it; this is the last line of defence."""
    n = network()
    made = n.conv(n.input, 4)
    plan = plan_of(n.finish(n.conv(n.concat([made, n.depthwise(n.input)]), 2)), in_place=True)
    assert plan.split.storages.windows[made].pixel_stride_bytes
    with pytest.raises(Refusal, match="would be a slice"):
        tensor_offset(plan.split, plan.bodies, plan.layout, piece_index(plan.step_graph), made)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_every_address_of_a_program_is_inside_its_workspace_and_survives_encoding(model: bytes, in_place: bool) -> None:
    graph = read_model(model).graph
    plan = planned(graph, SplitOptions(concatenate_in_place=in_place), effort=0)
    for region in plan.regions:
        program = region.program
        for storage in program.storages:
            for address in storage.addresses:
                assert address is None or 0 <= address <= program.workspace_bytes - storage.row_bytes
        for io in (*program.inputs, *program.outputs):
            assert 0 <= io.address <= program.workspace_bytes - io.bytes
        assert region.workspace_offset + program.workspace_bytes <= plan.planned_head_bytes
        decoded = decode(encode(program))
        assert (decoded.inputs, decoded.outputs, decoded.steps) == (program.inputs, program.outputs, program.steps)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans(), st.integers(0, 99))
def test_a_program_computes_its_network(model: bytes, in_place: bool, seed: int) -> None:
    """Two independent numpy interpreters: one of graphs, one of programs."""
    graph = read_model(model).graph
    plan = planned(graph, SplitOptions(concatenate_in_place=in_place), effort=0)
    assume(not plan.split.stock and len(plan.regions) == 1)
    (region,) = plan.regions
    rng = np.random.default_rng(seed)
    inputs = {}
    for t in graph.inputs:
        tensor = graph.tensors[t]
        if tensor.dtype == "FLOAT32":
            inputs[t] = rng.normal(0, 2, tensor.shape).astype(np.float32)
        else:
            inputs[t] = rng.integers(-128, 128, tensor.shape).astype(np.int8)
    try:
        values = run_graph(graph, [inputs[t] for t in graph.inputs])
    except Refusal:  # a kind of operator the graph's interpreter does not know
        reject()
    found = run_program(region.program, [inputs[t] for t in region.inputs])
    assert found == [np.ascontiguousarray(values[t]).tobytes() for t in region.outputs]
