"""Each invariant of `ir/graph.py`, by its number there."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from tflm_split.errors import ModelError
from tflm_split.ir.graph import ABSENT, ELEMENT_BYTES, Graph, Operator, Tensor


def tensor(index: int, shape: tuple[int, ...] = (1, 4), data: bytes | None = None, dtype: str = "INT8") -> Tensor:
    return Tensor(index, f"t{index}", shape, dtype, data=data)


GRAPH = Graph(
    "main",
    (tensor(0), tensor(1, data=b"abcd"), tensor(2), tensor(3)),
    (Operator(0, "ADD", (0, 1), (2,), source=(5,)), Operator(1, "CONV_2D", (2, 1, ABSENT), (3,), source=(6, 7))),
    (0,),
    (3,),
)


def refused(graph: Graph, sentence: str) -> None:
    with pytest.raises(ModelError) as found:
        graph.checked()
    assert str(found.value) == sentence


def test_a_sound_graph_passes_unchanged() -> None:
    assert GRAPH.checked() is GRAPH


# 1. tensors[i].index == i; operators[k].index == k


def test_1_tensors_carry_their_index() -> None:
    refused(replace(GRAPH, tensors=(tensor(0), tensor(2))), "tensor 1 carries the index 2")


def test_1_operators_carry_their_index() -> None:
    refused(replace(GRAPH, operators=GRAPH.operators[1:]), "operator 0 carries the index 1")


def test_1_renumbering_is_part_of_exchanging_operators() -> None:
    first = replace(GRAPH.operators[1], inputs=(0, 1, ABSENT))
    assert [op.index for op in GRAPH.with_operators((first,)).operators] == [0]


# 2. every input is a tensor or ABSENT, every output a tensor


@pytest.mark.parametrize("index", [4, -2])
def test_2_inputs_exist_or_are_absent(index: int) -> None:
    operator = replace(GRAPH.operators[0], inputs=(0, index))
    refused(replace(GRAPH, operators=(operator,)), f"op 0 ADD reads tensor {index}, but there are 4 tensors")


@pytest.mark.parametrize("index", [4, ABSENT])
def test_2_outputs_exist(index: int) -> None:
    operator = replace(GRAPH.operators[0], outputs=(index,))
    refused(replace(GRAPH, operators=(operator,)), f"op 0 ADD writes tensor {index}, but there are 4 tensors")


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_2_the_interface_exists(side: str) -> None:
    sentence = "the graph's interface names tensor 9, but there are 4 tensors"
    refused(replace(GRAPH, **{side: (9,)}), sentence)  # type: ignore[arg-type]


# 3. at most one producer; none for constants, variables and inputs


def test_3_a_tensor_has_one_producer() -> None:
    operators = (GRAPH.operators[0], replace(GRAPH.operators[1], outputs=(2,)))
    refused(replace(GRAPH, operators=operators), "op 1 CONV_2D writes tensor 2, which already has a value")


def test_3_an_input_has_no_producer() -> None:
    operators = (replace(GRAPH.operators[0], outputs=(0,)),)
    refused(replace(GRAPH, operators=operators, outputs=(0,)), "op 0 ADD writes tensor 0, which already has a value")


def test_3_a_constant_has_no_producer() -> None:
    operators = (replace(GRAPH.operators[0], inputs=(0,), outputs=(1,)),)
    refused(replace(GRAPH, operators=operators), "op 0 ADD writes tensor 1, which is a constant")


# 4. operators stand in an order in which they can run


def test_4_a_reader_stands_behind_the_producer() -> None:
    operators = (replace(GRAPH.operators[1], index=0), replace(GRAPH.operators[0], index=1))
    refused(replace(GRAPH, operators=operators), "op 0 CONV_2D reads tensor 2 before any operator has produced it")


# 5. shapes are final


def test_5_a_dynamic_shape_is_refused() -> None:
    tensors = (tensor(0, (1, -1)), *GRAPH.tensors[1:])
    refused(replace(GRAPH, tensors=tensors), "tensor 0 't0' has a dynamic shape [1, -1]")


# Values and questions.


def test_nothing_is_ever_mutated() -> None:
    with pytest.raises(FrozenInstanceError):
        GRAPH.tensors[0].name = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("shape", "dtype", "count"),
    [((1, 2, 3), "INT8", 6), ((1, 2, 3), "FLOAT32", 24), ((), "INT32", 4), ((1, 0), "INT8", 0), ((1,), "RESOURCE", 0)],
)
def test_bytes_are_what_tflm_plans(shape: tuple[int, ...], dtype: str, count: int) -> None:
    assert tensor(0, shape, dtype=dtype).bytes == count


def test_types_without_a_fixed_element_size_are_absent() -> None:
    assert not {"STRING", "RESOURCE", "VARIANT", "INT4"} & ELEMENT_BYTES.keys()


def test_producers_consumers_and_operands() -> None:
    assert GRAPH.producers() == {2: 0, 3: 1}
    assert GRAPH.consumers() == {0: (0,), 1: (0, 1), 2: (1,)}
    assert [t.index for t in GRAPH.operands(GRAPH.operators[1])] == [2, 1]


def test_a_consumer_is_named_once_however_often_it_reads() -> None:
    graph = replace(GRAPH, operators=(replace(GRAPH.operators[0], inputs=(0, 0)),), outputs=(2,))
    assert graph.consumers() == {0: (0,)}


def test_labels_name_the_operator_as_the_file_does() -> None:
    assert GRAPH.label(GRAPH.operators[0]) == "op 5 ADD 't2'"
    assert GRAPH.label(GRAPH.operators[1]) == "op 6+7 CONV_2D 't3'"
    assert GRAPH.label(Operator(4, "CALL_ONCE", (), ())) == "op 4 CALL_ONCE ''"
