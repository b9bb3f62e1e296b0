"""Which tensors count as live while an operator runs, and is the peak what the corpus says?"""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_helpers import CORPUS, needs_corpus

from tflm_split.analysis.liveness import activation_bytes, live_bytes_per_operator, live_peak_bytes
from tflm_split.errors import InternalError
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.tflite.reader import read_model

ROUNDED_ANCHORS = {"kws_micronet_l": 169_760}
"""Rows of anchors.tsv that give TFLM's head, rounded to 16 bytes, instead of the live peak."""


def graph_of(sizes, operators, inputs, outputs, **fields):
    """A graph: bytes of each tensor, and (inputs, outputs) of each operator."""
    tensors = tuple(Tensor(i, f"t{i}", (n,), "INT8", **fields.get(f"t{i}", {})) for i, n in enumerate(sizes))
    ops = tuple(Operator(k, "ADD", tuple(i), tuple(o)) for k, (i, o) in enumerate(operators))
    return Graph("g", tensors, ops, tuple(inputs), tuple(outputs)).checked()


# t0 -> A -> t1 -> B -> t2 -> C -> t4
#            t1 ------------> C   (a residual)
RESIDUAL = graph_of([1, 10, 100, 1000, 10_000], [([0], [1]), ([1], [2]), ([2, 1], [4])], [0], [4])


def test_an_operators_inputs_and_outputs_are_live_and_a_residual_in_between():
    assert live_bytes_per_operator(RESIDUAL) == (11, 110, 10_110)
    assert live_peak_bytes(RESIDUAL) == 10_110


def test_a_graph_input_is_live_until_its_last_reader_and_an_output_to_the_end():
    graph = graph_of([1, 10, 100], [([0], [1]), ([0], [2])], [0], [1, 2])
    assert live_bytes_per_operator(graph) == (11, 111)


def test_an_input_nobody_reads_is_live_at_the_first_operator_only():
    graph = graph_of([1, 10, 100, 1000], [([1], [2]), ([2], [3])], [0, 1], [3])
    assert live_bytes_per_operator(graph) == (111, 1100)


def test_an_input_that_is_an_output_too_lives_throughout():
    graph = graph_of([1, 10, 100], [([0], [1]), ([1], [2])], [0], [2, 0])
    assert live_bytes_per_operator(graph) == (11, 111)


def test_an_output_nobody_reads_is_live_while_it_is_written():
    graph = graph_of([1, 10, 100, 1000], [([0], [1, 2]), ([1], [3])], [0], [3])
    assert live_bytes_per_operator(graph) == (111, 1010)


def test_constants_variables_and_tensors_nobody_names_are_not_counted():
    constant, variable = {"data": bytes(10)}, {"is_variable": True}
    graph = graph_of([1, 10, 100, 1000, 5], [([0, 1, 2, ABSENT], [3])], [0], [3], t1=constant, t2=variable)
    assert live_bytes_per_operator(graph) == (1001,)


def test_a_resource_handle_counts_four_bytes_as_in_tflm():
    assert activation_bytes(Tensor(0, "handle", (), "RESOURCE")) == 4
    assert activation_bytes(Tensor(0, "packed", (3,), "INT4")) == 3
    assert activation_bytes(Tensor(0, "text", (3,), "STRING")) == 0


def test_without_operators_the_interface_is_live():
    assert live_bytes_per_operator(graph_of([1, 10], [], [0], [0])) == ()
    assert live_peak_bytes(graph_of([1, 10], [], [0], [0])) == 1


def test_another_order_has_another_peak():
    # Two branches from t0: wide (t1 then t2) and narrow (t3); t4 joins them.
    graph = graph_of([1, 1000, 1, 1, 1], [([0], [1]), ([0], [3]), ([1], [2]), ([2, 3], [4])], [0], [4])
    assert live_bytes_per_operator(graph) == (1001, 1002, 1002, 3)
    assert live_bytes_per_operator(graph, (0, 2, 1, 3)) == (1001, 1002, 3, 3)


def test_an_order_that_leaves_out_an_operator_is_a_mistake():
    with pytest.raises(InternalError, match="every operator once"):
        live_bytes_per_operator(RESIDUAL, (0, 1))


@st.composite
def networks(draw):
    """Random graphs: every operator reads one to three earlier tensors."""
    count = draw(st.integers(1, 8))
    sizes = draw(st.lists(st.integers(1, 99), min_size=count + 1, max_size=count + 1))
    operators = [(draw(st.lists(st.integers(0, k), min_size=1, max_size=3)), [k + 1]) for k in range(count)]
    outputs = draw(st.lists(st.integers(1, count), min_size=1, max_size=2, unique=True))
    return graph_of(sizes, operators, [0], outputs)


@given(networks())
@settings(deadline=None, max_examples=60)
def test_live_bytes_are_the_tensors_somebody_still_needs(graph):
    expected = []
    for k in range(len(graph.operators)):
        made = {0, *(t for op in graph.operators[: k + 1] for t in op.outputs)}
        needed = {*graph.outputs, *graph.operators[k].outputs, *(t for op in graph.operators[k:] for t in op.inputs)}
        unread_input = {0} if k == 0 else set()
        expected.append(sum(graph.tensors[t].bytes for t in (made & needed) | unread_input))
    assert live_bytes_per_operator(graph) == tuple(expected)


@needs_corpus
def test_the_peak_is_the_one_the_corpus_states():
    with open(CORPUS / "anchors.tsv") as file:
        anchors = {r["name"]: int(r["act_peak_file_order_bytes"]) for r in csv.DictReader(file, delimiter="\t")}
    peaks = {name: live_peak_bytes(read_model(CORPUS / "models" / f"{name}.tflite").graph) for name in anchors}
    assert peaks.pop("kws_micronet_l") == 169_740
    assert peaks == {name: peak for name, peak in anchors.items() if name not in ROUNDED_ANCHORS}
