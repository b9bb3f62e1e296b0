"""Stretches along a common axis, on networks one can draw; and squares of an axis, which attention scores are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import networks
from tiny_models import Builder

from tflm_split.ir.graph import Graph
from tflm_split.split.axes.connected import Link, Stretch, connected
from tflm_split.split.axes.loops import Relation
from tflm_split.split.axes.squares import squares
from tflm_split.tflite.reader import read_model


def stretch(b: Builder, tensor: int, axis: int, *outputs: int) -> Stretch:
    return connected(read_model(b.finish(*outputs)).graph, tensor, axis)


def reasons(links: Sequence[Link]) -> list[tuple[str, int]]:
    """(relation, the tensor that is made) of each link."""
    return [(link.relation.value, link.made) for link in links]


def test_rows_pass_through_windows_and_end_where_all_are_needed() -> None:
    b = Builder((1, 8, 8, 3))
    first = b.conv(b.input, 8, 3, 3)
    second = b.depthwise(first, 3, 3, 2)
    pooled = b.mean(second)
    found = stretch(b, first, 1)
    assert found.axes == {b.input: 1, first: 1, second: 1}
    assert [(link.made, link.halo) for link in found.windows] == [(first, 2), (second, 1)]
    assert reasons(found.ends) == [("reduction", pooled)]
    assert not found.starts


def test_channels_start_at_a_filter_and_end_in_a_sum() -> None:
    b = Builder((1, 7, 7, 8))
    wide = b.conv(b.input, 24, 1, 1)
    deep = b.depthwise(wide, 3, 3)
    narrow = b.conv(deep, 8, 1, 1)
    found = stretch(b, wide, 3)
    assert found.axes == {wide: 3, deep: 3}
    assert reasons(found.starts) == [("broadcast", wide)]
    assert reasons(found.ends) == [("reduction", narrow)]


def attention(b: Builder, x: int) -> Mapping[str, int]:
    q, k, v = (b.dense(x, 8) for _ in range(3))
    scores = b.matmul(q, k, transposed=True)
    weights = b.softmax(scores)
    attended = b.matmul(weights, v)
    return {"q": q, "k": k, "v": v, "scores": scores, "weights": weights, "attended": attended}


def test_scores_are_cut_along_queries_while_keys_and_values_are_whole() -> None:
    b = Builder((6, 8))
    x = b.dense(b.input, 8)
    t = attention(b, x)
    last = b.add(x, b.dense(t["attended"], 8))
    found = stretch(b, t["scores"], 0)
    assert {t["q"], t["scores"], t["weights"], t["attended"], last} <= found.axes.keys()
    assert set(found.axes.values()) == {0}
    assert not {x, t["k"], t["v"]} & found.axes.keys()
    whole = {link.read for link in found.starts if link.relation is Relation.BROADCAST}
    assert whole == {t["k"], t["v"]}


def test_scores_along_keys_end_at_the_softmax() -> None:
    b = Builder((6, 8))
    t = attention(b, b.dense(b.input, 8))
    found = stretch(b, t["scores"], 1)
    assert found.axes == {t["scores"]: 1, t["k"]: 0}
    assert reasons(found.ends) == [("reduction", t["weights"])]


def test_tokens_of_the_values_are_those_of_queries_and_keys() -> None:
    b = Builder((6, 8))
    x = b.dense(b.input, 8)
    t = attention(b, x)
    assert stretch(b, t["v"], 0).axes == {t["v"]: 0, x: 0, b.input: 0, t["q"]: 0, t["k"]: 0}


def test_queries_stay_with_their_scores_rather_than_with_the_keys() -> None:
    """Scores need all keys, so scores or keys must leave the stretch of the queries. Keys are further away."""
    b = Builder((6, 8))
    t = attention(b, b.dense(b.input, 8))
    assert stretch(b, t["q"], 0).axes == {t[name]: 0 for name in ("q", "scores", "weights", "attended")}


def test_a_mask_stays_with_the_scores_it_is_added_to() -> None:
    """Neither scores nor keys are made of the mask, so the nearer ones stay: the scores."""
    b = Builder((6, 8))
    mask = b.unary("LOGISTIC", b.add_input((6, 6)))
    x = b.dense(b.input, 8)
    q, k = b.dense(x, 8), b.dense(x, 8)
    scores = b.matmul(q, k, transposed=True)
    masked = b.add(scores, mask)
    assert stretch(b, mask, 0).axes.keys() == {b.inputs[1], mask, masked, scores, q}


def test_a_gate_of_the_whole_map_ends_its_rows() -> None:
    """Squeeze and excite: the product with the gate comes after the stretch, although its rows follow the same rows."""
    b = Builder((1, 6, 6, 4))
    x = b.conv(b.input, 4, 1, 1)
    gate = b.unary("LOGISTIC", b.mean(x, keep_dims=True))
    b.add(x, gate, kind="MUL")
    assert stretch(b, x, 1).axes == {b.input: 1, x: 1}


def test_a_tensor_that_meets_itself_along_another_axis_ends_there() -> None:
    b = Builder((6, 4))
    x = b.dense(b.input, 4)
    b.matmul(x, x, transposed=True)
    assert stretch(b, x, 0).axes == {b.input: 0, x: 0}


def test_heads_are_groups_of_channels() -> None:
    b = Builder((1, 6, 12))
    x = b.dense(b.reshape(b.input, (6, 12)), 12)
    heads = b.reshape(x, (6, 3, 4))
    found = stretch(b, x, 1)
    assert found.axes == {x: 1, heads: 1}
    assert stretch(b, heads, 2).axes == {heads: 2}


def is_cuttable(graph: Graph, axes: Mapping[int, int]) -> bool:
    """True unless a path leads from the stretch out of it and back. With one, parts could not be made in turn."""
    after: set[int] = set()
    for op in graph.operators:
        reads = set(op.inputs)
        for t in op.outputs:
            if t in axes:
                if reads & after:
                    return False
            elif reads & (axes.keys() | after):
                after.add(t)
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.data())
def test_nothing_in_a_region_needs_what_comes_after_it(model: bytes, data: st.DataObject) -> None:
    graph = read_model(model).graph
    tensor = data.draw(st.sampled_from([t for op in graph.operators for t in op.outputs]))
    for axis in range(len(graph.tensors[tensor].shape)):
        found = connected(graph, tensor, axis)
        assert found.axes[tensor] == axis
        assert is_cuttable(graph, found.axes)
        inside = {link.operator for link in found.windows}
        assert all(graph.operators[k].outputs[0] in found.axes for k in inside)


# Squares.


def square_tensors(b: Builder, *outputs: int) -> frozenset[int]:
    return squares(read_model(b.finish(*outputs)).graph)


def test_scores_are_squares_and_stay_so_until_they_are_summed() -> None:
    b = Builder((6, 8))
    t = attention(b, b.dense(b.input, 8))
    assert square_tensors(b) == {t["scores"], t["weights"]}


def test_scores_of_heads_side_by_side_are_squares() -> None:
    b = Builder((1, 6, 12))
    split = [b.reshape(b.dense(b.reshape(b.input, (6, 12)), 12), (1, 6, 3, 4)) for _ in range(2)]
    order = b.constant(np.array([0, 2, 1, 3], np.int32))
    q, k = (b._op("TRANSPOSE", [t, order], b._output(b._values[t].transpose(0, 1, 3, 2, 4), like=t)) for t in split)
    scores = b.matmul(q, k, transposed=True)
    assert square_tensors(b, scores) == {scores}


def test_a_layer_as_wide_as_it_has_tokens_is_no_square() -> None:
    b = Builder((8, 8))
    b.dense(b.dense(b.input, 8), 8)
    assert not square_tensors(b)


def test_scores_of_two_sequences_are_no_square() -> None:
    b = Builder((6, 8))
    b.matmul(b.input, b.add_input((6, 8)), transposed=True)
    assert not square_tensors(b)
