"""Which inputs are tried, and what counts as a difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from repeated import is_repeatable
from tiny_models import Builder, Op, T, build_model, conv_model, single_op

from tflm_split.arithmetic.affine import affine_dequantize, affine_quantize
from tflm_split.errors import InputError
from tflm_split.tflite.reader import read_model
from tflm_split.verify import compare as module
from tflm_split.verify.compare import compare
from tflm_split.verify.tflm import interpreter


def inputs_for(model: bytes, count: int = 6, seed: int = 0) -> list[tuple[Any, ...]]:
    return module.test_inputs(read_model(model).graph, count, seed)


def test_inputs_are_the_same_for_the_same_seed_only() -> None:
    model = conv_model(8, 8, 3, 4, 3, 3)
    first, again, other = inputs_for(model), inputs_for(model), inputs_for(model, seed=1)
    assert all((a[0] == b[0]).all() for a, b in zip(first, again, strict=True))
    assert not all((a[0] == b[0]).all() for a, b in zip(first, other, strict=True))


def test_random_and_smooth_inputs_alternate() -> None:
    entries = [x[0].astype(int) for x in inputs_for(conv_model(48, 48, 3, 4, 3, 3))]
    steps = [np.abs(np.diff(x, axis=1)).mean() for x in entries]
    assert min(steps[0::2]) > 60
    assert max(steps[1::2]) < 30
    assert entries[0].min() == -128
    assert entries[0].max() == 127
    assert min(np.ptp(x) for x in entries) > 60


def test_float_inputs_cover_the_quantised_range() -> None:
    model = single_op("QUANTIZE", [T((1, 500), "FLOAT32")], T((1, 500), "INT8", 0.5, 28))
    entries = [x for (x,) in inputs_for(model)]
    assert {x.dtype for x in entries} == {np.dtype(np.float32)}
    for x in entries:
        assert x.min() >= -78 - 0.05 * 127.5
        assert x.max() <= 49.5 + 0.05 * 127.5
    assert entries[0].min() < -78
    assert entries[0].max() > 49.5


def test_token_ids_stay_inside_the_table_they_choose_from() -> None:
    table = T((7, 3), "INT8", 0.1, 0, np.zeros((7, 3), np.int8))
    tensors = [T((1, 50), "INT32"), table, T((1, 50, 3), "INT8", 0.1)]
    model = build_model(tensors, [Op("GATHER", [1, 0], [2], {"axis": 0})], [0], [2])
    for (x,) in inputs_for(model):
        assert x.dtype == np.int32
        assert 0 <= x.min() <= x.max() <= 6


def test_a_model_equals_itself() -> None:
    b = Builder((1, 12, 12, 3), seed=2)
    model = b.finish(b.dense(b.mean(b.conv(b.input, 8, 3, 3, 2, activation="RELU6")), 5))
    result = compare(read_model(model), read_model(model), inputs_for(model), repeats=2)
    assert (result.inputs, result.bit_exact, result.first_difference) == (6, True, None)
    assert result.original_run.outputs == result.optimized_run.outputs
    assert is_repeatable(result.original_run)


def test_the_first_difference_is_named() -> None:
    def model(last_weight: int) -> bytes:
        w = np.array([[1, 0], [0, last_weight]], np.int8)
        tensors = [T((1, 2), scale=1.0), T((2, 2), "INT8", 1.0, 0, w), T((1, 2), scale=1.0)]
        return build_model(tensors, [Op("FULLY_CONNECTED", [0, 1, -1], [2])], [0], [2])

    inputs = [(np.array([[5, 0]], np.int8),), (np.array([[5, 10]], np.int8),)]
    result = compare(read_model(model(1)), read_model(model(2)), inputs)
    assert not result.bit_exact
    assert (
        result.first_difference
        == "input 1: output 0 't2' differs in 1 of 2 elements, first at [0, 1]: 20 instead of 10"
    )


def test_a_float_interface_is_compared_with_a_quantised_one() -> None:
    inner = [T((1, 300), "INT8", 0.05, 7), T((1, 300), "INT8", 0.04, -3)]
    tensors = [T((1, 300), "FLOAT32"), *inner, T((1, 300), "FLOAT32")]
    ops = [Op("QUANTIZE", [0], [1]), Op("HARD_SWISH", [1], [2]), Op("DEQUANTIZE", [2], [3])]
    original = build_model(tensors, ops, [0], [3])
    stripped = build_model(inner, [Op("HARD_SWISH", [0], [1])], [0], [1])
    assert compare(read_model(original), read_model(stripped), inputs_for(original)).bit_exact


def test_interfaces_that_do_not_correspond_are_an_error() -> None:
    with pytest.raises(InputError, match=r"output 0 is INT8 \[1, 4, 4, 2\] in one model and INT8 \[1, 4, 4, 3\]"):
        compare(read_model(conv_model(4, 4, 2, 2, 1, 1)), read_model(conv_model(4, 4, 2, 3, 1, 1)), [])


def test_quantising_is_what_tflm_does_halves_included() -> None:
    scale, zero_point = float(np.float32(0.1)), 5
    x = np.concatenate([np.linspace(-15, 15, 4001), np.arange(-40, 40) * 0.05, [0.0, -0.0]]).astype(np.float32)[None]
    model = single_op("QUANTIZE", [T(x.shape, "FLOAT32")], T(x.shape, "INT8", scale, zero_point))
    it = interpreter(model)
    it.set_input(x, 0)
    it.invoke()
    np.testing.assert_array_equal(affine_quantize(x, scale, zero_point, "INT8"), it.get_output(0))


def test_dequantising_is_what_tflm_does() -> None:
    scale, zero_point = float(np.float32(0.0123)), -9
    q = np.arange(-128, 128).astype(np.int8)[None]
    model = single_op("DEQUANTIZE", [T(q.shape, "INT8", scale, zero_point)], T(q.shape, "FLOAT32"))
    it = interpreter(model)
    it.set_input(q, 0)
    it.invoke()
    assert affine_dequantize(q, scale, zero_point).tobytes() == it.get_output(0).tobytes()
