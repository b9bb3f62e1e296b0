"""Each invariant of `ir/graph.py`, by its number there."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

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


def test_3_a_variable_has_no_producer() -> None:
    tensors = (*GRAPH.tensors[:2], replace(tensor(2), is_variable=True), tensor(3))
    refused(replace(GRAPH, tensors=tensors), "op 0 ADD writes tensor 2, which is a variable")


@pytest.mark.parametrize("fields", [{"data": b"abcd"}, {"is_variable": True}])
def test_3_an_input_is_neither_constant_nor_variable(fields: dict[str, Any]) -> None:
    tensors = (replace(tensor(0), **fields), *GRAPH.tensors[1:])
    refused(replace(GRAPH, tensors=tensors), "tensor 0 is an input of the graph, and a constant or a variable")


def test_3_a_constant_is_not_a_variable() -> None:
    tensors = (GRAPH.tensors[0], replace(GRAPH.tensors[1], is_variable=True), *GRAPH.tensors[2:])
    refused(replace(GRAPH, tensors=tensors), "tensor 1 't1' is a constant and a variable")


# 4. operators stand in an order in which they can run


def test_4_a_reader_stands_behind_the_producer() -> None:
    operators = (replace(GRAPH.operators[1], index=0), replace(GRAPH.operators[0], index=1))
    refused(replace(GRAPH, operators=operators), "op 0 CONV_2D reads tensor 2 before any operator has produced it")


def test_4_what_is_read_is_produced_somewhere() -> None:
    graph = replace(GRAPH, inputs=())
    refused(graph, "op 0 ADD reads tensor 0, which nothing produces")


def test_4_what_is_given_out_is_produced_somewhere() -> None:
    refused(replace(GRAPH, operators=GRAPH.operators[:1]), "the graph gives out tensor 3, which nothing produces")


@pytest.mark.parametrize("fields", [{"data": b"abcd"}, {"is_variable": True}, {"shape": (0,)}])
def test_4_constants_variables_and_what_has_no_bytes_need_no_producer(fields: dict[str, Any]) -> None:
    tensors = (*GRAPH.tensors, replace(tensor(4), **fields))
    operators = (replace(GRAPH.operators[0], inputs=(0, 4)), GRAPH.operators[1])
    graph = replace(GRAPH, tensors=tensors, operators=operators)
    assert graph.checked() == graph


# 5. shapes are final


def test_5_a_dynamic_shape_is_refused() -> None:
    tensors = (tensor(0, (1, -1)), *GRAPH.tensors[1:])
    refused(replace(GRAPH, tensors=tensors), "tensor 0 't0' has a dynamic shape [1, -1]")


@pytest.mark.parametrize(("index", "role"), [(0, "input"), (2, "result of op 0 ADD"), (3, "result of op 1 CONV_2D")])
def test_5_an_activation_is_not_empty(index: int, role: str) -> None:
    tensors = (*GRAPH.tensors[:index], tensor(index, (1, 0)), *GRAPH.tensors[index + 1 :])
    refused(replace(GRAPH, tensors=tensors), f"tensor {index}, {role}, is empty: [1, 0]")


@pytest.mark.parametrize(("shape", "dtype"), [((2**31,), "INT8"), ((2**15, 2**14), "INT32"), ((2**31,), "RESOURCE")])
def test_5_a_tensor_fits_32_bits(shape: tuple[int, ...], dtype: str) -> None:
    tensors = (tensor(0, shape, dtype=dtype), *GRAPH.tensors[1:])
    refused(replace(GRAPH, tensors=tensors), f"tensor 0 't0' is larger than any arena: {list(shape)}")


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
