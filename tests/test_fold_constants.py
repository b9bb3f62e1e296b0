"""What is known before run time is a constant, with the bytes that TFLM computes; everything else stays as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from random_networks import Network
from split_stages import every_compilation
from tflm_server import TflmServer
from tiny_models import DTYPES, Op, T, build_model, single_op

from tflm_split.rewrite.constant_values import constant_values
from tflm_split.rewrite.fold_constants import MAX_NEW_BYTES, fold_constants
from tflm_split.search.base import known_values, rewritten_split
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs as inputs_for

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def known(values: Any, dtype: str = "INT32", **quantization: Any) -> T:
    data = np.asarray(values, DTYPES[dtype])
    return T(data.shape, dtype, data=data, **quantization)


def floats(*shape: int) -> T:
    return known(RNG.normal(0, 3, shape).astype(np.float32), "FLOAT32")


def bytes_of(*shape: int) -> T:
    return known(RNG.integers(-128, 128, shape).astype(np.int8), "INT8", scale=0.05, zero_point=3)


INT = [known([[7, -3, 2], [5, 1, -9]]), known([[2, 5, -4]])]
SHORT = known(np.array([[-300, 20, 9]], np.int16), "INT16", scale=0.01)
AXIS = known([1])
Case = tuple[str, Sequence[T], T | Sequence[T], dict[str, Any]]
CASES: list[Case] = [
    ("STRIDED_SLICE", [known([4, 8, 3, 2]), known([-3]), known([4]), known([2])], T([2], "INT32"), {}),
    ("STRIDED_SLICE", [INT[0], known([0, 1]), known([9, 2]), known([1, 1])], T([2], "INT32"), {"shrink_axis_mask": 2}),
    ("STRIDED_SLICE", [bytes_of(3, 4), known([0, 3]), known([2, 0]), known([1, -1])], T([2, 3]), {"begin_mask": 1}),
    ("SLICE", [INT[0], known([0, 1]), known([2, -1])], T([2, 2], "INT32"), {}),
    ("SPLIT", [AXIS, bytes_of(2, 4)], [T([2, 2]), T([2, 2])], {"num_splits": 2}),
    ("SPLIT_V", [bytes_of(2, 4), known([1, 3]), AXIS], [T([2, 1]), T([2, 3])], {"num_splits": 2}),
    ("UNPACK", [INT[0]], [T([3], "INT32"), T([3], "INT32")], {"num": 2, "axis": 0}),
    ("PACK", [known(1), known(64), known(3)], T([3], "INT32"), {"values_count": 3, "axis": 0}),
    ("PACK", [bytes_of(2, 3), bytes_of(2, 3)], T([2, 2, 3]), {"values_count": 2, "axis": 1}),
    ("CONCATENATION", [known([3]), known([4, 5])], T([3], "INT32"), {"axis": 0}),
    ("CONCATENATION", [floats(2, 1), floats(2, 3)], T([2, 4], "FLOAT32"), {"axis": -1}),
    ("RESHAPE", [INT[0], known([6])], T([6], "INT32"), {"new_shape": [6]}),
    ("EXPAND_DIMS", [floats(3), known([0])], T([1, 3], "FLOAT32"), {}),
    ("SQUEEZE", [floats(1, 3)], T([3], "FLOAT32"), {"squeeze_dims": [0]}),
    ("TRANSPOSE", [bytes_of(2, 3, 2), known([2, 0, 1])], T([2, 2, 3]), {}),
    ("GATHER", [bytes_of(4, 3), known([2, 0, 2])], T([3, 3]), {"axis": 0}),
    ("GATHER", [floats(2, 5), known([4, 1])], T([2, 2], "FLOAT32"), {"axis": 1}),
    ("BROADCAST_TO", [floats(1, 3), known([2, 3])], T([2, 3], "FLOAT32"), {}),
    ("BROADCAST_ARGS", [known([1, 3]), known([4, 1, 1])], T([3], "INT32"), {}),
    ("FILL", [known([2, 2]), known(np.float32(0.5), "FLOAT32")], T([2, 2], "FLOAT32"), {}),
    ("PAD", [floats(2, 2), known([[1, 0], [0, 2]])], T([3, 4], "FLOAT32"), {}),
    ("REVERSE_V2", [bytes_of(2, 3), AXIS], T([2, 3]), {}),
    ("CAST", [known([-3, 250, 9])], T([3], "FLOAT32"), {}),
    ("CAST", [known(np.array([-2.7, 3.99, 0.5], np.float32), "FLOAT32")], T([3], "INT32"), {}),
    ("CAST", [known(np.array([-2, 3], np.int8), "INT8", scale=1.0)], T([2], "INT32"), {}),
    ("DEQUANTIZE", [bytes_of(2, 3)], T([2, 3], "FLOAT32"), {}),
    ("DEQUANTIZE", [SHORT], T([1, 3], "FLOAT32"), {}),
    ("QUANTIZE", [floats(4, 5)], T([4, 5], scale=0.031, zero_point=-7), {}),
    ("QUANTIZE", [floats(4, 5)], T([4, 5], "INT16", scale=0.0031), {}),
    ("QUANTIZE", [bytes_of(4, 5)], T([4, 5], scale=0.031, zero_point=-7), {}),
    ("LOGISTIC", [bytes_of(4, 9)], T([4, 9], scale=1 / 256, zero_point=-128), {}),
    ("HARD_SWISH", [bytes_of(4, 9)], T([4, 9], scale=0.04, zero_point=-20), {}),
    ("RELU", [bytes_of(4, 9)], T([4, 9], scale=0.04, zero_point=-128), {}),
    *((kind, INT, T([2, 3], "INT32"), {}) for kind in ("ADD", "MUL", "MINIMUM", "MAXIMUM")),
    *((kind, [floats(2, 3), floats(1, 3)], T([2, 3], "FLOAT32"), {}) for kind in ("ADD", "SUB", "MUL", "DIV", "MAXIMUM")),
    ("ADD", [floats(3), floats(3)], T([3], "FLOAT32"), {"fused_activation_function": "RELU6"}),
    *((kind, [floats(2, 3)], T([2, 3], "FLOAT32"), {}) for kind in ("NEG", "SQUARE", "FLOOR", "CEIL")),
    ("SQRT", [known(np.float32([2, 0.1, 9]), "FLOAT32")], T([3], "FLOAT32"), {}),
    *((kind, INT, T([2, 3], "BOOL"), {}) for kind in ("EQUAL", "NOT_EQUAL", "GREATER", "LESS_EQUAL")),
    ("LOGICAL_AND", [known([True, False], "BOOL"), known([True, True], "BOOL")], T([2], "BOOL"), {}),
    ("LOGICAL_NOT", [known([True, False], "BOOL")], T([2], "BOOL"), {}),
    ("SELECT_V2", [known([True, False], "BOOL"), floats(2), floats(2)], T([2], "FLOAT32"), {}),
]  # fmt: skip


def folded(model: bytes) -> tuple[bytes, ...] | None:
    graph = read_model(model).graph
    return constant_values(graph, graph.operators[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_folded_constant_has_the_bytes_that_tflm_computes(tflm: TflmServer, case: Case) -> None:
    kind, inputs, outputs, options = case
    model = single_op(kind, inputs, outputs, **options)
    assert folded(model) == tflm.run(model, [[]]).outputs[0]


NOT_IN_TFLM: list[tuple[Case, Any]] = [
    (("FLOOR_MOD", INT, T([2, 3], "INT32"), {}), np.int32([[1, 2, -2], [1, 1, -1]])),
    (("RANGE", [known(2), known(9), known(3)], T([3], "INT32"), {}), np.int32([2, 5, 8])),
    (("TILE", [known([[1, 2]]), known([2, 1])], T([2, 2], "INT32"), {}), np.int32([[1, 2], [1, 2]])),
    (("REDUCE_PROD", [INT[0], AXIS], T([2], "INT32"), {}), np.int32([-42, -45])),
    (("DEQUANTIZE", [known(np.float16([0.1, -7]), "FLOAT16")], T([2], "FLOAT32"), {}), np.float16([0.1, -7]).astype("f4")),
]  # fmt: skip


@pytest.mark.parametrize(("case", "values"), NOT_IN_TFLM, ids=lambda case: case[0] if isinstance(case, tuple) else "")
def test_kinds_that_only_tensorflow_lite_has(case: Case, values: Any) -> None:
    kind, inputs, outputs, options = case
    assert folded(single_op(kind, inputs, outputs, **options)) == (values.tobytes(),)


def scaled(scale: float, *shape: int) -> T:
    return known(RNG.integers(-128, 128, shape).astype(np.int8), "INT8", scale=scale, zero_point=0)


CONV = {"padding": "SAME", "fused_activation_function": "RELU"}
ARITHMETIC: list[Case] = [
    ("ADD", [bytes_of(2, 3), bytes_of(2, 3)], T([2, 3], scale=0.09, zero_point=4), {}),
    ("MUL", [bytes_of(2, 3), bytes_of(1, 3)], T([2, 3], scale=0.2, zero_point=-9), {}),
    ("FULLY_CONNECTED", [bytes_of(2, 6), scaled(0.02, 4, 6)], T([2, 4], scale=0.1, zero_point=4), {}),
    ("CONV_2D", [bytes_of(1, 4, 4, 2), scaled(0.02, 3, 3, 3, 2)], T([1, 4, 4, 3], scale=0.1), CONV),
    ("SOFTMAX", [bytes_of(2, 6)], T([2, 6], scale=1 / 256, zero_point=-128), {"beta": 1.0}),
]


@pytest.mark.parametrize("case", ARITHMETIC, ids=lambda case: case[0])
def test_arithmetic_of_int8_constants_has_the_bytes_that_tflm_computes(tflm: TflmServer, case: Case) -> None:
    kind, inputs, outputs, options = case
    graph = read_model(model := single_op(kind, inputs, outputs, **options)).graph
    assert known_values(graph, graph.operators[0]) == tflm.run(model, [[]]).outputs[0]


HUGE = known([2**31 - 1])
UNKNOWN: list[Case] = [
    ("ADD", [HUGE, HUGE], T([1], "INT32"), {}),
    ("ADD", [bytes_of(2), bytes_of(2)], T([2], scale=0.1), {}),
    ("EXP", [floats(2)], T([2], "FLOAT32"), {}),
    ("SQRT", [known(np.float32([-1]), "FLOAT32")], T([1], "FLOAT32"), {}),
    ("FLOOR_DIV", [known([3]), known([0])], T([1], "INT32"), {}),
    ("GATHER", [known([1, 2]), known([-1])], T([1], "INT32"), {"axis": 0}),
    ("CAST", [known(np.float32([3e9]), "FLOAT32")], T([1], "INT32"), {}),
    ("QUANTIZE", [known(np.float32([3e30]), "FLOAT32")], T([1], scale=0.1), {}),
    ("RELU", [T([4])], T([4]), {}),
]  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN, ids=lambda case: case[0])
def test_what_c_leaves_open_or_depends_on_the_input_stays(case: Case) -> None:
    kind, inputs, outputs, options = case
    model = single_op(kind, inputs, outputs, **options)
    assert folded(model) is None
    graph = read_model(model).graph
    assert fold_constants(graph) is graph


def flattened() -> bytes:
    """A convolution, and Keras' Flatten for a batch that the file leaves open."""
    n = Network((1, 6, 5, 2))
    features = n.conv(n.input, 3)
    return n.finish(n.dense(n.shaped_by(features, (1, 90), n.batch_shape(features, (90,))), 4))


def test_the_shape_of_a_dynamic_batch_is_a_constant() -> None:
    graph = fold_constants(read_model(flattened()).graph)
    assert [op.kind for op in graph.operators] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]
    shape = graph.tensors[graph.operators[1].inputs[1]]
    assert shape.data == np.int32([1, 90]).tobytes()


def test_a_reshape_reads_no_shape_that_is_computed_at_run_time() -> None:
    """TFLM takes the output's shape. What computes the operand goes, unless somebody else reads it."""
    n = Network((1, 6, 5, 2))
    features = n.conv(n.input, 3)
    flat = n.shaped_by(features, (1, 90), n.numbers_of(n.unary("RELU", n.input), 2))
    model = n.finish(n.dense(flat, 4))
    split = rewritten_split(read_model(model).graph, SplitOptions())
    assert [op.kind for op in split.graph.operators] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]
    assert split.graph.operators[1].inputs == (features,)
    assert not split.stock


def test_a_reshape_that_stays_stock_has_lost_its_operand_in_the_file_too(tflm: TflmServer) -> None:
    n = Network((1, 6, 5, 2))
    relu = n.unary("RELU", n.input)
    model = n.finish(n.reversed(n.shaped_by(n.reversed(relu), (1, 60), n.batch_shape(n.input, (60,)))))
    inputs = inputs_for(read_model(model).graph, 2, 0)
    for compiled in every_compilation(model):
        written = read_model(compiled.optimized).graph
        assert [op.kind for op in written.operators] == ["CUSTOM:TFLM_SPLIT", "REVERSE_V2", "RESHAPE", "REVERSE_V2"]
        assert written.tensors[written.operators[2].inputs[1]].data == np.int32([1, 60]).tobytes()
        assert tflm.run(compiled.optimized, inputs).outputs == tflm.run(model, inputs).outputs


def test_an_output_of_the_model_is_never_folded() -> None:
    tensors = [T([1, 4]), T([2], "INT32"), T([1, 4])]
    model = build_model(tensors, [Op("SHAPE", [0], [1]), Op("RELU", [0], [2])], [0], [1, 2])
    graph = read_model(model).graph
    assert fold_constants(graph) is graph


def test_a_small_constant_does_not_become_a_large_one() -> None:
    n = MAX_NEW_BYTES // 4 + 1
    tensors = [known([n]), known(np.float32(1), "FLOAT32"), T([n], "FLOAT32"), T([n], "FLOAT32"), T([n], "FLOAT32")]
    model = build_model(tensors, [Op("FILL", [0, 1], [2]), Op("ADD", [2, 3], [4])], [3], [4])
    graph = read_model(model).graph
    assert fold_constants(graph) is graph
