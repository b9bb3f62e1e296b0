"""Operators that lack operands are refused before anybody uses them. Operators of absurd sizes stay stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tflite_helpers import CORPUS, corpus_files, needs_corpus
from tiny_models import Op, T, build_model

import tflm_split
from tflm_split.errors import ModelError, Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Quantization, Tensor
from tflm_split.split.operators.common import per_tensor
from tflm_split.split.regions import MAX_STEPS, split_graph
from tflm_split.split.rows import MAX_CUT_BYTES, row_shape
from tflm_split.tflite.operands import check_operands
from tflm_split.tflite.reader import read_model


def graph(
    kind: str, inputs: Sequence[int], outputs: Sequence[int] = (4,), shape: tuple[int, ...] = (1, 2, 2, 1)
) -> Graph:
    tensors = tuple(Tensor(k, f"t{k}", shape, "INT8") for k in range(5))
    return Graph("main", tensors, (Operator(0, kind, tuple(inputs), tuple(outputs)),), (0, 1, 2, 3), ())


@pytest.mark.parametrize(
    ("kind", "inputs", "sentence"),
    [
        ("RELU", [], "op 0 RELU lacks its input 0"),
        ("RELU", [ABSENT], "op 0 RELU lacks its input 0"),
        ("CONV_2D", [0], "op 0 CONV_2D lacks its input 1"),
        ("DEPTHWISE_CONV_2D", [0, ABSENT, 1], "op 0 DEPTHWISE_CONV_2D lacks its input 1"),
        ("TRANSPOSE_CONV", [0, 1], "op 0 TRANSPOSE_CONV lacks its input 2"),
        ("STRIDED_SLICE", [0, 1, 2], "op 0 STRIDED_SLICE lacks its input 3"),
    ],
)
def test_a_missing_operand_is_refused(kind: str, inputs: list[int], sentence: str) -> None:
    with pytest.raises(ModelError, match=f"^{sentence}$"):
        check_operands(graph(kind, inputs))


def test_a_missing_output_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^op 0 QUANTIZE has no output$"):
        check_operands(graph("QUANTIZE", [0], []))


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"])
def test_dimensions_a_kernel_does_not_check_are_checked(kind: str) -> None:
    sentence = rf"^input 0 of op 0 {kind} is \[1, 4\], needs 4 dimensions$"
    with pytest.raises(ModelError, match=sentence):
        check_operands(graph(kind, [0, 1], shape=(1, 4)))


@pytest.mark.parametrize(
    ("kind", "shapes", "sentence"),
    [
        ("DEQUANTIZE", [(1, 2), (1, 65536)], "op 0 DEQUANTIZE makes 65536 elements of [1, 2]"),
        ("MUL", [(1,), (), (4,)], "op 0 MUL makes 4 elements of [1] and []"),
        ("ADD", [(2, 3), (2,), (2, 3)], "op 0 ADD makes 6 elements of [2, 3] and [2]"),
        ("ADD", [(1, 4, 1), (3,), (1, 4, 3)], None),
        ("RESHAPE", [(2, 6), (3, 4)], None),
    ],
)
def test_an_element_wise_output_has_the_size_of_its_operands(
    kind: str, shapes: list[tuple[int, ...]], sentence: str | None
) -> None:
    tensors = tuple(Tensor(k, f"t{k}", shape, "FLOAT32") for k, shape in enumerate(shapes))
    last = len(shapes) - 1
    made = Graph("main", tensors, (Operator(0, kind, tuple(range(last)), (last,)),), tuple(range(last)), (last,))
    if sentence is None:
        check_operands(made)
    else:
        with pytest.raises(ModelError) as found:
            check_operands(made)
        assert str(found.value) == sentence


def fault(graph: Graph) -> str | None:
    """What is wrong with an operator's operands; None if nothing is."""
    try:
        check_operands(graph)
    except ModelError as error:
        return str(error)
    return None


def test_optional_operands_may_be_absent_and_unknown_kinds_may_have_any() -> None:
    assert fault(graph("FULLY_CONNECTED", [0, 1, ABSENT])) is None
    assert fault(graph("CUSTOM:Anything", [], [])) is None
    assert fault(graph("ASSIGN_VARIABLE", [0, 1], [])) is None


@needs_corpus
@pytest.mark.parametrize("path", corpus_files("models"))
def test_every_real_model_has_its_operands(path) -> None:
    assert fault(read_model(path).graph) is None


@pytest.mark.parametrize(
    ("scale", "zero_point", "dtype"),
    [(0.0, 0, "INT8"), (float("inf"), 0, "INT8"), (float("nan"), 0, "INT8"), (0.1, 128, "INT8"), (0.1, -1, "UINT8")],
)
def test_an_impossible_quantisation_is_a_refusal(scale: float, zero_point: int, dtype: str) -> None:
    tensor = Tensor(0, "t", (1, 4), dtype, Quantization((scale,), (zero_point,)))
    with pytest.raises(Refusal, match=r"scale that is not positive|zero point"):
        per_tensor(tensor)
    assert per_tensor(replace(tensor, quantization=Quantization((0.1,), (3,)))) == (0.1, 3)


def test_a_tensor_of_more_bytes_than_any_device_has_is_not_cut() -> None:
    row_shape(Tensor(0, "t", (1, 1024, 1024, MAX_CUT_BYTES >> 20), "INT8"))
    with pytest.raises(Refusal, match="more than are cut into rows"):
        row_shape(Tensor(0, "t", (1, 1024, 1024, (MAX_CUT_BYTES >> 20) + 1), "INT8"))


def relus(rows: Sequence[int]) -> bytes:
    """A model with one RELU per input; inputs have these numbers of rows."""
    tensors = [T((1, r, 1, 1), scale=0.1) for r in rows for _ in range(2)]
    ops = [Op("RELU", [2 * k], [2 * k + 1]) for k in range(len(rows))]
    return build_model(tensors, ops, range(0, 2 * len(rows), 2), range(1, 2 * len(rows), 2))


def test_operators_of_too_many_steps_stay_stock_the_tallest_first() -> None:
    split = split_graph(read_model(relus([100, MAX_STEPS, MAX_STEPS - 1000, 900])).graph)
    assert split.stock == {1}
    assert split.refusals[1].reason == f"it would take {MAX_STEPS:,} steps of a model that takes too many"
    assert split_graph(read_model(relus([MAX_STEPS])).graph).stock == frozenset()


@pytest.mark.parametrize("shape", [(1, 65535, 4, 2), (1, 65536, 1, 1), (1, 29_989, 1, 64), (1, 1024, 1024, 1000)])
def test_absurd_shapes_end_at_once(shape: tuple[int, ...]) -> None:
    tensors = [T(shape, scale=0.1) for _ in range(4)]
    data = build_model(tensors, [Op("RELU", [k], [k + 1]) for k in range(3)], [0], [3])
    result = tflm_split.optimize(data, verify=False, effort=0)
    assert result.model == data
    assert {entry["kind"] for entry in result.report["refusals"]} <= {"size", "shape"}


@needs_corpus
def test_images_of_hundreds_of_megabytes_stay_stock() -> None:
    result = tflm_split.optimize(CORPUS / "odd" / "lr_conv_huge_im2col.tflite", verify=False)
    assert result.report["kept_original"]
