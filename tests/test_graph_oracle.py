"""The graph oracle gives TFLM's bytes: on single operators of every kind and shape, and on whole real models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import Op, T, build_model

from tflm_split.errors import InputError, Refusal
from tflm_split.ir.graph import Graph, Operator, Quantization, Tensor
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import KINDS, run_graph, run_graph_outputs
from tflm_split.verify.tflm import interpreter, run_in_tflm

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "models"


def random_input(rng: np.random.Generator, shape: Sequence[int], dtype: str) -> np.ndarray[Any, Any]:
    if dtype == "FLOAT32":
        return rng.normal(0, 3, tuple(shape)).astype(np.float32)
    low, high = (0, 256) if dtype == "UINT8" else (-128, 128)
    return rng.integers(low, high, tuple(shape)).astype(np.uint8 if dtype == "UINT8" else np.int8)


def assert_equals_tflm(tensors: Sequence[T], op: Op, seed: int = 0) -> None:
    """TFLM and the oracle agree on a model of one operator, on three random inputs over the full range."""
    rng = np.random.default_rng(seed)
    inputs = [t for t in op.inputs if t >= 0 and tensors[t].data is None]
    model = build_model(tensors, [op], inputs, op.outputs)
    graph = read_model(model).graph
    tflm = interpreter(model)
    for _ in range(3):
        values = [random_input(rng, tensors[t].shape, tensors[t].dtype) for t in inputs]
        for i, value in enumerate(values):
            tflm.set_input(value, i)
        tflm.invoke()
        np.testing.assert_array_equal(run_graph_outputs(graph, values)[0], tflm.get_output(0))


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, Any]:
    return rng.integers(-127, 128, shape).astype(np.int8)


def bias(rng: np.random.Generator, channels: int, scales: Sequence[float]) -> T:
    return T((channels,), "INT32", scale=scales, data=rng.integers(-9000, 9000, channels).astype(np.int32))


def constant(*values: int) -> T:
    """One-dimensional, int32, without quantisation."""
    return T((len(values),), "INT32", data=np.array(values, np.int32))


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[list[T], Op]:
    """CONV_2D or DEPTHWISE_CONV_2D of any window, groups, multiplier, padding, activation and scales."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    depthwise = draw(st.booleans())
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (2, 3)]))
    size = tuple((k - 1) * d + 1 + draw(st.integers(0, 6)) for k, d in zip(kernel, dilation, strict=True))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    out = tuple(
        -(-n // s) if padding == "SAME" else (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    )
    if depthwise:
        channels, multiplier = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        out_channels, filter_shape = channels * multiplier, (1, *kernel, channels * multiplier)
    else:
        groups, depth = draw(st.sampled_from([1, 1, 2, 3])), draw(st.integers(1, 4))
        channels, out_channels = groups * depth, groups * draw(st.integers(1, 3))
        filter_shape = (out_channels, *kernel, depth)
    many = draw(st.booleans()) and out_channels > 1
    scales = rng.uniform(0.002, 0.02, out_channels if many else 1).tolist()
    tensors = [
        T((1, *size, channels), scale=0.05, zero_point=draw(st.integers(-128, 127))),
        T(filter_shape, scale=scales, data=weights(rng, *filter_shape), axis=3 if depthwise else 0),
        T(
            (1, *out, out_channels),
            scale=draw(st.sampled_from([0.01, 0.07, 0.3])),
            zero_point=draw(st.integers(-99, 99)),
        ),
        bias(rng, out_channels, [0.05 * s for s in scales]),
    ]
    options: dict[str, Any] = {
        "padding": padding,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
        "fused_activation_function": draw(st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])),
    }
    if depthwise:
        options["depth_multiplier"] = multiplier
    inputs = (0, 1, 3) if draw(st.booleans()) else (0, 1)
    return tensors, Op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, (2,), options)


@settings(deadline=None, max_examples=80)
@given(convolutions())
def test_convolutions_of_any_shape(case: tuple[list[T], Op]) -> None:
    assert_equals_tflm(*case)


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> tuple[list[T], Op]:
    """TRANSPOSE_CONV of any window, padding, activation and scales, on outputs that fit it or are smaller or larger."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    extra = draw(st.integers(-1, 2)), draw(st.integers(-1, 2))
    out = tuple(
        max(1, n * s + e) if padding == "SAME" else max(1, k, (n - 1) * s + k + e)
        for n, k, s, e in zip(size, kernel, stride, extra, strict=True)
    )
    channels, filters = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    many = draw(st.booleans()) and filters > 1
    scales = rng.uniform(0.002, 0.02, filters if many else 1).tolist()
    filter_shape = (filters, *kernel, channels)
    tensors = [
        constant(1, *out, filters),
        T(filter_shape, scale=scales, data=weights(rng, *filter_shape)),
        T((1, *size, channels), scale=0.05, zero_point=draw(st.integers(-128, 127))),
        bias(rng, filters, [0.05 * s for s in scales]),
        T((1, *out, filters), scale=draw(st.sampled_from([0.01, 0.07, 0.3])), zero_point=draw(st.integers(-99, 99))),
    ]
    options = {
        "padding": padding,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "fused_activation_function": draw(st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])),
    }
    return tensors, Op("TRANSPOSE_CONV", (0, 1, 2, 3) if draw(st.booleans()) else (0, 1, 2), (4,), options)


@settings(deadline=None, max_examples=60)
@given(transposed_convolutions())
def test_transposed_convolutions_of_any_shape(case: tuple[list[T], Op]) -> None:
    assert_equals_tflm(*case)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.booleans(),
    st.booleans(),
)
def test_resizing_to_the_nearest_neighbour(
    size: tuple[int, int], out: tuple[int, int], align_corners: bool, half_pixel_centers: bool
) -> None:
    tensors = [T((1, *size, 3), scale=0.1), constant(*out), T((1, *out, 3), scale=0.1)]
    options = {"align_corners": align_corners, "half_pixel_centers": half_pixel_centers}
    assert_equals_tflm(tensors, Op("RESIZE_NEAREST_NEIGHBOR", (0, 1), (2,), options))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("has_bias", [False, True])
def test_fully_connected(per_channel: bool, has_bias: bool) -> None:
    rng = np.random.default_rng(1)
    scales = rng.uniform(0.001, 0.01, 7 if per_channel else 1).tolist()
    tensors = [
        T((3, 50), scale=0.1, zero_point=-9),
        T((7, 50), scale=scales, data=weights(rng, 7, 50)),
        T((3, 7), scale=0.17, zero_point=4),
        bias(rng, 7, [0.1 * s for s in scales]),
    ]
    assert_equals_tflm(tensors, Op("FULLY_CONNECTED", (0, 1, 3) if has_bias else (0, 1), (2,)))


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("second", [(1, 4, 5, 6), (1, 1, 1, 6), (1, 4, 5, 1), (1, 1, 1, 1), (1, 4, 1, 6)])
@pytest.mark.parametrize("scales", [(0.05, 0.03, 0.06), (0.0123, 0.4, 0.31)])
def test_arithmetic_with_broadcast(kind: str, second: tuple[int, ...], scales: tuple[float, ...]) -> None:
    shapes = ((1, 4, 5, 6), second, (1, 4, 5, 6))
    tensors = [T(s, scale=q, zero_point=z) for s, q, z in zip(shapes, scales, (3, -17, 9), strict=True)]
    for activation in ("NONE", "RELU6"):
        assert_equals_tflm(tensors, Op(kind, (0, 1), (2,), {"fused_activation_function": activation}))


def test_adding_a_tensor_to_itself_and_to_a_constant() -> None:
    three = T((3,), scale=0.02, data=np.array([-128, 5, 127], np.int8))
    tensors = [T((1, 2, 2, 3), scale=0.1, zero_point=2), T((1, 2, 2, 3), scale=0.2), three]
    assert_equals_tflm(tensors, Op("ADD", (0, 0), (1,)))
    assert_equals_tflm(tensors, Op("ADD", (0, 2), (1,)))


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize(("padding", "out"), [("SAME", (4, 3)), ("VALID", (3, 2))])
def test_pooling(kind: str, padding: str, out: tuple[int, int]) -> None:
    tensors = [T((1, 7, 5, 3), scale=0.1, zero_point=-5), T((1, *out, 3), scale=0.1, zero_point=-5)]
    options = {"padding": padding, "stride_h": 2, "stride_w": 2, "filter_height": 3, "filter_width": 2}
    assert_equals_tflm(tensors, Op(kind, (0,), (1,), {**options, "fused_activation_function": "RELU6"}))


@pytest.mark.parametrize(("axes", "out"), [((1, 2), (1, 5)), ((2, 1), (1, 5)), ((-1,), (1, 6, 7)), ((1,), (1, 7, 5))])
@pytest.mark.parametrize("scale", [0.05, 0.011])
def test_mean(axes: tuple[int, ...], out: tuple[int, ...], scale: float) -> None:
    tensors = [T((1, 6, 7, 5), scale=0.04, zero_point=11), T(out, scale=scale, zero_point=-30), constant(*axes)]
    assert_equals_tflm(tensors, Op("MEAN", (0, 2), (1,), {"keep_dims": False}))


EVERY_VALUE = (1, 16, 16)


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "TANH", "ABS", "ELU"])
@pytest.mark.parametrize("scale", [0.02, 0.0471, 0.15, 0.7])
@pytest.mark.parametrize("zero_point", [-128, -3, 60])
def test_activations_on_every_value(kind: str, scale: float, zero_point: int) -> None:
    out_scale, out_zero = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(kind, (scale * 1.25, zero_point + 5))
    if kind == "RELU6":
        out_scale, out_zero = scale, zero_point
    tensors = [T(EVERY_VALUE, scale=scale, zero_point=zero_point), T(EVERY_VALUE, scale=out_scale, zero_point=out_zero)]
    op = Op(kind, (0,), (1,), {"alpha": 0.1} if kind == "LEAKY_RELU" else {})
    model = build_model(tensors, [op], (0,), (1,))
    every = np.arange(-128, 128, dtype=np.int8).reshape(EVERY_VALUE)
    tflm = interpreter(model)
    tflm.set_input(every, 0)
    tflm.invoke()
    np.testing.assert_array_equal(run_graph_outputs(read_model(model).graph, [every])[0], tflm.get_output(0))


@pytest.mark.parametrize("scale", [0.001, 0.02, 0.3, 7.0])
@pytest.mark.parametrize("out_scale", [0.004, 0.05, 1.0])
def test_rsqrt_on_every_value(scale: float, out_scale: float) -> None:
    tensors = [T(EVERY_VALUE, scale=scale, zero_point=-128), T(EVERY_VALUE, scale=out_scale, zero_point=-90)]
    assert_equals_tflm(tensors, Op("RSQRT", (0,), (1,)))


@pytest.mark.parametrize("kind", ["MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE", "PRELU"])
@pytest.mark.parametrize("second", [(1, 4, 5, 3), (1, 1, 1, 3), (1, 4, 1, 1)])
def test_other_operators_of_two_operands(kind: str, second: tuple[int, ...]) -> None:
    tensors = [
        T((1, 4, 5, 3), scale=0.05, zero_point=-7),
        T(second, scale=0.021, zero_point=30),
        T((1, 4, 5, 3), scale=0.09, zero_point=-60),
    ]
    assert_equals_tflm(tensors, Op(kind, (0, 1), (2,)))


@pytest.mark.parametrize(("kind", "scale"), [("SUM", 0.4), ("SUM", 0.03), ("REDUCE_MAX", 0.04)])
@pytest.mark.parametrize(("axes", "out"), [((1, 2), (1, 5)), ((-1,), (1, 6, 7))])
def test_sum_and_maximum(kind: str, scale: float, axes: tuple[int, ...], out: tuple[int, ...]) -> None:
    tensors = [T((1, 6, 7, 5), scale=0.04, zero_point=11), T(out, scale=scale, zero_point=11), constant(*axes)]
    assert_equals_tflm(tensors, Op(kind, (0, 2), (1,), {"keep_dims": False}))


@pytest.mark.parametrize("out", [(1, 1), (3, 9), (8, 10), (7, 2)])
@pytest.mark.parametrize(("align", "centers"), [(False, False), (True, False), (False, True)])
def test_resize_bilinear(out: tuple[int, int], align: bool, centers: bool) -> None:
    tensors = [T((1, 4, 5, 3), scale=0.1), T((1, *out, 3), scale=0.1), constant(*out)]
    op = Op("RESIZE_BILINEAR", (0, 2), (1,), {"align_corners": align, "half_pixel_centers": centers})
    assert_equals_tflm(tensors, op)


@pytest.mark.parametrize("kind", ["SPACE_TO_DEPTH", "DEPTH_TO_SPACE"])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_blocks(kind: str, block: int) -> None:
    maps = [T((1, 2, 3, 2 * block**2), scale=0.1), T((1, 2 * block, 3 * block, 2), scale=0.1)]
    tensors = maps if kind == "DEPTH_TO_SPACE" else maps[::-1]
    assert_equals_tflm(tensors, Op(kind, (0,), (1,), {"block_size": block}))


def test_gather_and_pack() -> None:
    table = T((5, 3), scale=0.1, data=weights(np.random.default_rng(0), 5, 3))
    indices = T((1, 4), "INT32", data=np.array([[4, 0, 2, 4]], np.int32))
    assert_equals_tflm([table, indices, T((1, 4, 3), scale=0.1)], Op("GATHER", (0, 1), (2,), {"axis": 0}))
    parts = [T((4, 3), scale=0.1), T((4, 3), scale=0.1), T((4, 2, 3), scale=0.1)]
    assert_equals_tflm(parts, Op("PACK", (0, 1), (2,), {"axis": 1, "values_count": 2}))


@pytest.mark.parametrize(
    ("bounds", "masks", "out"),
    [
        (((0, 1, -3), (1, 6, 5), (1, 2, 1)), (0, 0, 0), (1, 3, 3)),
        (((0, 5, 0), (1, 0, 5), (1, -1, 1)), (0, 2, 0), (1, 6, 5)),
        (((0, 2, 0), (1, 3, 9), (1, 1, 3)), (0, 0, 2), (1, 2)),
    ],
)
def test_strided_slice(bounds: tuple[tuple[int, ...], ...], masks: tuple[int, ...], out: tuple[int, ...]) -> None:
    tensors = [T((1, 6, 5), scale=0.1), *(constant(*b) for b in bounds), T(out, scale=0.1)]
    options = dict(zip(("begin_mask", "end_mask", "shrink_axis_mask"), masks, strict=True))
    assert_equals_tflm(tensors, Op("STRIDED_SLICE", (0, 1, 2, 3), (4,), options))


@pytest.mark.parametrize("scale", [0.003, 0.05, 0.2, 1.5])
@pytest.mark.parametrize("channels", [2, 10, 300])
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_softmax(scale: float, channels: int, beta: float) -> None:
    tensors = [T((9, channels), scale=scale, zero_point=7), T((9, channels), scale=1 / 256, zero_point=-128)]
    assert_equals_tflm(tensors, Op("SOFTMAX", (0,), (1,), {"beta": beta}))


@pytest.mark.parametrize(
    ("source", "target"),
    [("INT8", "INT8"), ("INT8", "UINT8"), ("UINT8", "INT8"), ("FLOAT32", "INT8")],
)
@pytest.mark.parametrize("scales", [(0.05, 0.05), (0.05, 0.021)])
def test_quantize(source: str, target: str, scales: tuple[float, float]) -> None:
    zero_points = [128 if dtype == "UINT8" else 0 for dtype in (source, target)]
    scale = None if source == "FLOAT32" else scales[0]
    tensors = [T((1, 300), source, scale, zero_points[0]), T((1, 300), target, scales[1], zero_points[1])]
    assert_equals_tflm(tensors, Op("QUANTIZE", (0,), (1,)))


@pytest.mark.parametrize("dtype", ["INT8", "UINT8"])
def test_dequantize(dtype: str) -> None:
    assert_equals_tflm([T((1, 300), dtype, 0.0371, 20), T((1, 300), "FLOAT32")], Op("DEQUANTIZE", (0,), (1,)))


@pytest.mark.parametrize(("axis", "out"), [(3, (1, 2, 3, 8)), (-1, (1, 2, 3, 8)), (1, (1, 4, 3, 4))])
def test_concatenation(axis: int, out: tuple[int, ...]) -> None:
    tensors = [T((1, 2, 3, 4), scale=0.1), T((1, 2, 3, 4), scale=0.1), T(out, scale=0.1)]
    assert_equals_tflm(tensors, Op("CONCATENATION", (0, 1), (2,), {"axis": axis}))


PAD_WIDTHS = T((4, 2), "INT32", data=np.array([[0, 0], [1, 2], [0, 3], [1, 0]], np.int32))


def test_pad_fills_with_the_zero_point() -> None:
    tensors = [T((1, 2, 3, 4), scale=0.1, zero_point=-5), T((1, 5, 6, 5), scale=0.1, zero_point=-5), PAD_WIDTHS]
    assert_equals_tflm(tensors, Op("PAD", (0, 2), (1,)))


def test_padv2_fills_with_its_value() -> None:
    value = T((1,), scale=0.1, zero_point=-5, data=np.array([77], np.int8))
    tensors = [T((1, 2, 3, 4), scale=0.1, zero_point=-5), T((1, 5, 6, 5), scale=0.1, zero_point=-5), PAD_WIDTHS, value]
    assert_equals_tflm(tensors, Op("PADV2", (0, 2, 3), (1,)))


@pytest.mark.parametrize("kind", ["RESHAPE", "SQUEEZE", "EXPAND_DIMS"])
def test_reshapes_keep_the_bytes(kind: str) -> None:
    tensors = [T((1, 6), scale=0.1), T((6,) if kind == "SQUEEZE" else (1, 1, 6), scale=0.1), constant(1)]
    assert_equals_tflm(tensors, Op(kind, (0, 2) if kind == "EXPAND_DIMS" else (0,), (1,)))


def test_explicit_padding_is_a_pad_before_a_valid_convolution() -> None:
    """What `rewrite` makes of PAD and CONV_2D computes the same."""
    rng = np.random.default_rng(3)
    q = Quantization((0.1,), (-7,))
    filters = Quantization((0.01, 0.02), (0, 0))
    tensors = (
        Tensor(0, "x", (1, 5, 6, 3), "INT8", q),
        Tensor(1, "w", (2, 3, 3, 3), "INT8", filters, rng.integers(-127, 128, 54).astype(np.int8).tobytes()),
        Tensor(2, "y", (1, 3, 3, 2), "INT8", Quantization((0.2,), (3,))),
        Tensor(3, "padded", (1, 8, 7, 3), "INT8", q),
        Tensor(4, "widths", (4, 2), "INT32", None, np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32).tobytes()),
    )
    options: dict[str, Any] = {"stride_h": 2, "stride_w": 2, "dilation_h_factor": 1, "dilation_w_factor": 1}
    pads = {"pad_top": 1, "pad_bottom": 2, "pad_left": 0, "pad_right": 1}
    folded = (Operator(0, "CONV_2D", (0, 1), (2,), {**options, **pads, "padding": "EXPLICIT"}),)
    plain = (
        Operator(0, "PAD", (0, 4), (3,)),
        Operator(1, "CONV_2D", (3, 1), (2,), {**options, "padding": "VALID"}),
    )
    x = rng.integers(-128, 128, (1, 5, 6, 3)).astype(np.int8)
    results = [run_graph_outputs(Graph("g", tensors, ops, (0,), (2,)), [x])[0] for ops in (folded, plain)]
    np.testing.assert_array_equal(*results)


def test_every_activation_is_given_by_its_index() -> None:
    tensors = [T((1, 6), scale=0.1), T((1, 6), scale=0.1), T((6,), scale=0.1)]
    model = build_model(tensors, [Op("RELU6", (0,), (1,)), Op("SQUEEZE", (1,), (2,))], (0,), (2,))
    values = run_graph(read_model(model).graph, [np.arange(6, dtype=np.int8)])
    assert values.keys() == {0, 1, 2} and values[2].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("tensors", "op", "kind", "reason"),
    [
        ([T((1, 4), scale=0.1), T((1, 4), scale=0.1)], Op("NEG", (0,), (1,)), "operator", "op 0 NEG .* does not know"),
        (
            [T((1, 4), "INT16", 0.1), T((1, 4), "INT16", 0.1)],
            Op("HARD_SWISH", (0,), (1,)),
            "dtype",
            "takes INT16 to INT16",
        ),
        ([T((1, 4)), T((1, 4), scale=0.1)], Op("RELU", (0,), (1,)), "quantization", "tensor 0 needs one scale"),
    ],
)
def test_what_it_does_not_know_is_refused(tensors: list[T], op: Op, kind: str, reason: str) -> None:
    graph = read_model(build_model(tensors, [op], (0,), (1,))).graph
    with pytest.raises(Refusal, match=reason) as refusal:
        run_graph(graph, [bytes(graph.tensors[0].bytes)])
    assert refusal.value.kind == kind


def test_inputs_that_do_not_fit_are_refused() -> None:
    graph = read_model(
        build_model([T((1, 4), scale=0.1), T((1, 4), scale=0.1)], [Op("RELU", (0,), (1,))], (0,), (1,))
    ).graph
    with pytest.raises(InputError, match="takes 1 inputs, and 2 were given"):
        run_graph(graph, [bytes(4), bytes(4)])
    with pytest.raises(InputError, match="input 0 of the graph has 4 bytes, and 3 were given"):
        run_graph(graph, [bytes(3)])


WHOLE_MODELS = (
    "mlperf_kws_int8",
    "mlperf_resnet8_int8",
    "mlperf_ad01_int8",
    "mlperf_vww96_int8",
    "person_detect",
    "sil_rock_paper_scissors",
    "mcunet_vww1_tinyts",
    "gen_mbv3s_035_96",
    "sil_kws_mobilenetv2",
)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real models is not at ../shared/corpus")
@pytest.mark.parametrize("name", WHOLE_MODELS)
def test_whole_real_models(name: str) -> None:
    model = (CORPUS / f"{name}.tflite").read_bytes()
    graph = read_model(model).graph
    assert all(op.kind in KINDS for op in graph.operators)
    rng = np.random.default_rng(5)
    inputs = [
        [random_input(rng, graph.tensors[t].shape, graph.tensors[t].dtype) for t in graph.inputs] for _ in range(2)
    ]
    run = run_in_tflm(model, inputs)
    for given_inputs, expected in zip(inputs, run.outputs, strict=True):
        assert tuple(y.tobytes() for y in run_graph_outputs(graph, given_inputs)) == expected
