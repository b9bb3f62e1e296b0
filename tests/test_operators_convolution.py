"""CONV_2D and DEPTHWISE_CONV_2D: windows, the folded bias, and how far a row may overlap the row it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from operator_cases import MAP, ONES, act, changed, conv, depthwise, each_refused, numbers, refusal, split, weights
from tiny_models import conv_model

from tflm_split.arithmetic.fixed_point import multiply_by_quantized_multiplier
from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind
from tflm_split.split.operators.convolution import without_dead_channels
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.rows import RowShape, Window
from tflm_split.tflite.reader import read_model


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_convolution_reads_the_rows_its_kernel_touches(padding: str) -> None:
    (op,) = split(conv_model(9, 7, 4, 6, 3, 5, (2, 1), padding, dilation=(2, 1)))
    assert op.kind is OpKind.CONV
    pad = 2 if padding == "SAME" else 0
    assert op.reads[0].window == Window(kernel=3, stride=2, dilation=2, pad=pad)
    assert op.reads[0].shape == RowShape(9, 7, 4)
    assert op.output_shape == (RowShape(5, 7, 6) if padding == "SAME" else RowShape(3, 3, 6))
    assert op.steps == op.output_shape.rows
    assert op.macs_per_step == op.output_shape.columns * 6 * 3 * 5 * 4
    assert (op.params["kernel_columns"], op.params["groups"]) == (5, 1)


def test_a_map_of_height_one_has_its_columns_as_rows_and_its_kernel_turned() -> None:
    model = conv_model(1, 9, 2, 3, 1, 4, (1, 2))
    (op,) = split(model)
    assert (op.reads[0].shape, op.output_shape) == (RowShape(9, 1, 2), RowShape(5, 1, 3))
    assert op.reads[0].window == Window(kernel=4, stride=2, dilation=1, pad=1)
    kernel = np.frombuffer(read_model(model).graph.tensors[1].data or b"", np.int8).reshape(3, 1, 4, 2)
    assert op.params["weights_offset"] == kernel.transpose(0, 2, 1, 3).tobytes()


def test_groups_are_read_off_the_shapes() -> None:
    (op,) = split(conv_model(5, 5, 6, 9, 3, 3, groups=3))
    assert op.params["groups"] == 3


def test_the_bias_holds_the_input_zero_point() -> None:
    model = conv_model(5, 5, 2, 3, 3, 3)
    graph = read_model(model).graph
    zero_point = graph.tensors[0].quantization.zero_points[0]  # type: ignore[union-attr]
    kernel = np.frombuffer(graph.tensors[1].data or b"", np.int8).reshape(3, -1).astype(np.int64)
    bias = np.frombuffer(graph.tensors[2].data or b"", "<i4")
    folded = split(model)[0].params["bias_offset"]
    assert isinstance(folded, bytes)
    assert (np.frombuffer(folded, "<i4") == bias - zero_point * kernel.sum(1)).all()


def test_a_depthwise_convolution_keeps_its_multiplier() -> None:
    (op,) = split(conv_model(8, 6, 3, 6, 3, 3, 2, depthwise=True))
    assert (op.kind, op.params["groups"], op.output_shape) == (OpKind.DEPTHWISE, 2, RowShape(4, 3, 6))
    assert op.reads[0].window == Window(3, 2, 1, pad=0)


@pytest.mark.parametrize(
    ("model", "distance"),
    [
        (conv_model(6, 8, 4, 4, 1, 1), 4),  # one pixel
        (conv_model(6, 8, 4, 8, 1, 1), 36),  # pixels grow: the last output pixel ends where the last input one starts
        (conv_model(6, 8, 8, 4, 1, 1), 4),
        (conv_model(6, 8, 4, 4, 3, 3), 8),  # a column of padding: the last window starts one pixel earlier
        (conv_model(6, 8, 4, 4, 3, 1, depthwise=True), 0),  # channel by channel, one column: the same address
        (conv_model(6, 8, 4, 4, 3, 3, depthwise=True), 8),
        (conv_model(6, 2, 4, 8, 3, 3), None),  # the rows would not share a byte
    ],
)
def test_a_convolution_may_run_over_its_dying_row(model: bytes, distance: int | None) -> None:
    (op,) = split(model)
    assert overlap_distance(op, op.reads[0], 4) == distance


@each_refused(
    (
        "int16 activations",
        lambda: conv(act(1, 6, 5, 4, dtype="INT16"), ONES, MAP),
        "dtype",
        "its output is INT8, needs INT16",
    ),
    (
        "int16 output",
        lambda: conv(MAP, ONES, act(1, 6, 5, 4, dtype="INT16")),
        "dtype",
        "its input is INT8, needs INT16",
    ),
    ("constant input", lambda: conv(weights(1, 6, 5, 4), ONES, MAP), "constant", "its input 0 is a constant"),
    (
        "computed weights",
        lambda: conv(MAP, act(4, 1, 1, 4), MAP),
        "constant",
        "its input 1 is computed at run time, needs a constant",
    ),
    ("batch", lambda: conv(act(2, 6, 5, 4), ONES, act(2, 6, 5, 4)), "batch", "batch is 2, needs 1"),
    (
        "wrong output size",
        lambda: conv(MAP, ONES, act(1, 5, 5, 4)),
        "geometry",
        "its output has 5 along h, its window gives 6",
    ),
    (
        "collapsing rows",
        lambda: conv(MAP, weights(4, 6, 1, 4), act(1, 1, 5, 4), padding="VALID"),
        "geometry",
        "its input and output are cut along different axes",
    ),
    (
        "tall kernel",
        lambda: conv(act(1, 40, 5, 4), weights(4, 33, 1, 4), act(1, 40, 5, 4)),
        "geometry",
        "its window spans 33 rows, at most 32 can be read at once",
    ),
    (
        "a window that reaches further than kernels count",
        lambda: conv(
            act(1, 2, 4, 4096), weights(1, 1, 2, 4096), act(1, 2, 4, 1), dilation_h_factor=1, dilation_w_factor=0xFFFF
        ),
        "geometry",
        "its window reaches 671092736 bytes far, and 536870911 is the most",
    ),
    (
        "output channels",
        lambda: conv(MAP, weights(3, 1, 1, 4), MAP),
        "geometry",
        "its weights and output disagree on channels",
    ),
    (
        "input channels",
        lambda: conv(MAP, weights(4, 1, 1, 3), MAP),
        "geometry",
        "its weights and input disagree on channels",
    ),
    (
        "groups",
        lambda: conv(MAP, weights(3, 1, 1, 2), act(1, 6, 5, 3)),
        "geometry",
        "its 3 output channels do not divide into 2 groups",
    ),
    (
        "input without scale",
        lambda: conv(act(1, 6, 5, 4, scale=None), ONES, MAP),
        "quantization",
        "tensor 't0' is not quantised with one scale",
    ),
    (
        "asymmetric weights",
        lambda: conv(MAP, weights(4, 1, 1, 4, zero_point=3), MAP),
        "quantization",
        "its weights have a zero point that is not 0",
    ),
    (
        "scales for some",
        lambda: conv(MAP, weights(4, 1, 1, 4, scale=[0.1, 0.2]), MAP),
        "quantization",
        "its weights have neither one scale nor one per channel",
    ),
    (
        "scales along another axis",
        lambda: conv(MAP, weights(4, 1, 1, 4, scale=[0.1] * 4, axis=3), MAP),
        "quantization",
        "its weights are quantised along axis 3",
    ),
    (
        "short bias",
        lambda: conv(MAP, ONES, MAP, numbers(1, 2)),
        "geometry",
        "its bias and output disagree on channels",
    ),
    (
        "wide bias",
        lambda: conv(MAP, ONES, MAP, numbers(1, 2, 3, 4, dtype="INT64")),
        "dtype",
        "its input 2 is INT64, needs INT32",
    ),
    (
        "activation",
        lambda: conv(MAP, ONES, MAP, fused_activation_function="TANH"),
        "activation",
        "its fused activation TANH is not supported",
    ),
    ("padding", lambda: changed(conv(MAP, ONES, MAP), options={"padding": "2"}), "padding", "its padding is '2'"),
    ("stride", lambda: conv(MAP, ONES, MAP, stride_h=0), "geometry", "its stride, dilation or kernel is not positive"),
    (
        "missing option",
        lambda: changed(conv(MAP, ONES, MAP), options={"stride_w": "x"}),
        "option",
        "its option stride_w is 'x'",
    ),
    ("missing weights", lambda: changed(conv(MAP, ONES, MAP), inputs=(0, -1)), "arity", "it has no input 1"),
    ("too many outputs", lambda: changed(conv(MAP, ONES, MAP), outputs=(2, 1)), "arity", "it has 2 outputs, needs 1"),
    (
        "depthwise weights",
        lambda: depthwise(MAP, weights(2, 1, 1, 4), MAP),
        "geometry",
        "its weights are not [1, height, width, channels]",
    ),
    (
        "depthwise channels",
        lambda: depthwise(MAP, weights(1, 1, 1, 6), act(1, 6, 5, 6)),
        "geometry",
        "its output channels are no multiple of its input channels",
    ),
    (
        "multiplier",
        lambda: depthwise(MAP, weights(1, 1, 1, 8), act(1, 6, 5, 8), depth_multiplier=1),
        "option",
        "its depth_multiplier is 1, its shapes say 2",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)


@pytest.mark.parametrize("seed", range(40))
def test_channels_whose_output_is_constant_become_ordinary_ones_with_the_same_output(seed: int) -> None:
    """Multipliers of 0, and shifts that leave nothing of any sum, as real models have them."""
    rng = np.random.default_rng(seed)
    channels, taps = int(rng.integers(1, 12)), int(rng.integers(1, 5))
    kernel = rng.integers(-128, 128, (channels, 1, 1, taps)).astype(np.int8)
    bias = rng.choice([0, 5, -(2**31), 2**31 - 1, 2**20, -(2**23)], channels)
    fields: dict[str, Any] = {
        "bias_offset": bias.astype("<i4").tobytes(),
        "multipliers_offset": rng.choice([0, 1 << 30, 2**31 - 1], channels).astype("<i4").tobytes(),
        "shifts_offset": rng.integers(-31, 6, channels).astype(np.int8).tobytes(),
        "output_zero_point": int(rng.integers(-128, 128)), "output_min": -128, "output_max": int(rng.choice([100, 127])),
    }  # fmt: skip
    quiet_kernel, quiet = without_dead_channels(kernel, 0, fields)
    pixel = rng.choice([-128, 127, 3], taps).astype(np.int64)
    for c in range(channels):
        assert _output(kernel, fields, c, pixel) == _output(quiet_kernel, quiet, c, pixel)


def test_a_channel_whose_bias_outweighs_its_weights_has_none_left() -> None:
    kernel = np.full((3, 1, 1, 4), 1, np.int8)
    fields: dict[str, Any] = {
        "bias_offset": np.array([1 << 30, -(1 << 30), 5], "<i4").tobytes(),
        "multipliers_offset": np.full(3, 1_300_000_000, "<i4").tobytes(),
        "shifts_offset": np.array([-27, -26, -4], np.int8).tobytes(),
        "output_zero_point": -128, "output_min": -128, "output_max": 127,
    }  # fmt: skip
    quiet_kernel, quiet = without_dead_channels(kernel, 0, fields)
    assert quiet_kernel.any(axis=(1, 2, 3)).tolist() == [False, False, True]
    assert np.frombuffer(cast(bytes, quiet["shifts_offset"]), np.int8).tolist() == [-1, -1, -4]
    pixel = np.array([127, -128, 0, 3])
    outputs = [_output(quiet_kernel, quiet, c, pixel) for c in range(3)]
    assert outputs == [_output(kernel, fields, c, pixel) for c in range(3)]
    assert outputs[0] > -128 == outputs[1]


def _output(kernel: np.ndarray[Any, Any], fields: dict[str, Any], channel: int, pixel: np.ndarray[Any, Any]) -> int:
    """What a channel's output is."""
    numbers_of = {"bias": "<i4", "multipliers": "<i4", "shifts": np.int8}
    bias, multiplier, shift = (
        int(np.frombuffer(fields[f"{name}_offset"], dtype)[channel]) for name, dtype in numbers_of.items()
    )
    total = bias + int(kernel[channel].astype(np.int64).ravel() @ pixel)
    scaled = multiply_by_quantized_multiplier((total + 2**31) % 2**32 - 2**31, multiplier, shift)
    return min(max(scaled + fields["output_zero_point"], fields["output_min"]), fields["output_max"])
