"""What the fuzzers found, each as the smallest model that shows it."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import Op, T, build_model

import tflm_split
from tflm_split.errors import UnrunnableError
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.split.rows import RowShape
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs as made_inputs
from tflm_split.verify.verification import check_own_memory


def split_of(data: bytes) -> Split:
    tflm_split.optimize(data, verify=False, effort=0)
    return rewritten_split(read_model(data).graph, SplitOptions())


def refusal(data: bytes, op: int = 0) -> str:
    return split_of(data).refusals[op].reason


def ints(*values: int) -> T:
    return T((len(values),), "INT32", data=np.array(values, np.int32))


def test_a_fully_connected_that_flattens_a_batch() -> None:
    """Its input has no rows of its own, and the question how to cut it along channels must not fail."""
    weights = T((2, 24), scale=0.1, data=np.ones((2, 24), np.int8))
    tensors = [T((3, 4, 2, 1), scale=0.1), weights, T((1, 2), scale=0.1), T((1, 2), "FLOAT32")]
    options = {"fused_activation_function": "NONE", "weights_format": "DEFAULT"}
    dense = Op("FULLY_CONNECTED", [0, 1], [2], options)
    split = split_of(build_model(tensors, [dense, Op("DEQUANTIZE", [2], [3])], [0], [3]))
    assert not split.refusals
    assert split.row_ops[0].reads[0].shape == RowShape(1, 1, 24)


@pytest.mark.parametrize("axes", [(3,), (4,), (-5,)])
def test_a_mean_whose_output_has_another_number_of_elements_or_whose_axis_does_not_exist(axes: tuple[int, ...]) -> None:
    tensors = [T((1, 8, 1, 1), scale=0.1), ints(*axes), T((1, 1), scale=0.1)]
    data = build_model(tensors, [Op("MEAN", [0, 1], [2])], [0], [2])
    if axes == (3,):
        assert "another number of bytes" in refusal(data) or "axes" in refusal(data)
    else:
        assert refusal(data) == f"it reduces axes {list(axes)} of 4"


@pytest.mark.parametrize("axis", [4, -5, 99])
def test_a_concatenation_along_an_axis_that_does_not_exist(axis: int) -> None:
    """The axis 99 does not exist, although 99 % 4 does."""
    tensors = [T((1, 4, 4, 2), scale=0.1), T((1, 4, 4, 2), scale=0.1), T((1, 4, 4, 4), scale=0.1)]
    options = {"axis": axis, "fused_activation_function": "NONE"}
    data = build_model(tensors, [Op("CONCATENATION", [0, 1], [2], options)], [0, 1], [2])
    assert refusal(data) == f"it joins along axis {axis} of 4"


@pytest.mark.parametrize("dilation", [65535, 100_000])
def test_a_window_whose_padding_does_not_fit_the_program(dilation: int) -> None:
    weights = T((2, 3, 3, 2), scale=0.1, data=np.ones((2, 3, 3, 2), np.int8))
    tensors = [T((1, 6, 6, 2), scale=0.1), weights, T((1, 6, 6, 2), scale=0.1)]
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": dilation}
    data = build_model(tensors, [Op("CONV_2D", [0, 1], [2], options)], [0], [2])
    assert refusal(data) == "its window is too large"


def test_a_pad_whose_output_has_another_rank() -> None:
    tensors = [T((1, 4, 4, 2), scale=0.1), T((4, 2), "INT32", data=np.zeros((4, 2), np.int32)), T((4, 4, 2), scale=0.1)]
    data = build_model(tensors, [Op("PAD", [0, 1], [2])], [0], [2])
    assert refusal(data) == "its padding does not fit its input"


@pytest.mark.parametrize("zero_point", [-129, 128, 32768, 2**40])
def test_a_zero_point_beyond_the_type(zero_point: int) -> None:
    tensors = [T((1, 4, 4, 2), scale=0.1), T((1, 4, 4, 2), scale=0.1, zero_point=zero_point)]
    data = build_model(tensors, [Op("RELU", [0], [1])], [0], [1])
    assert refusal(data).endswith(f"has the zero point {zero_point}")


def sliced(begin: int) -> bytes:
    """A SLICE that starts `begin` columns into a map and takes as many columns as the whole map has."""
    shape = (1, 5, 6, 1)
    tensors = [*(T(shape, scale=0.1) for _ in range(3)), T(shape, scale=0.2), ints(0, 0, begin, 0), ints(1, 5, 6, 1)]
    ops = [Op("RELU", [0], [1]), Op("SLICE", [1, 4, 5], [2]), Op("RELU", [1], [3])]
    return build_model(tensors, ops, [0], [2, 3])


def test_a_model_that_reads_beyond_its_operands_has_no_results_to_be_equal_to() -> None:
    """TFLM's SLICE does not check its bounds, and returns whatever lies behind its input."""
    inputs = made_inputs(read_model(sliced(0)).graph, 2, 0)
    check_own_memory(read_model(sliced(0)), inputs)
    with pytest.raises(UnrunnableError, match="depend on where TFLM puts its tensors"):
        check_own_memory(read_model(sliced(4)), inputs)
