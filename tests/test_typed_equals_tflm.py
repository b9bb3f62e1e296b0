"""int16 and float32 operators, split in every way, give TFLM's bytes in the real TFLM; so do both numpy oracles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from split_stages import every_compilation
from tflm_server import TflmServer
from tiny_models import T, window_output
from typed_models import TypedBuilder, random_inputs

from tflm_split.errors import Refusal
from tflm_split.split.operators import split_operator
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph_outputs
from tflm_split.verify.oracle import run_program

TYPES = ("INT16", "FLOAT32")
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
BIASES = ("wide", "narrow", None)
either_type = pytest.mark.parametrize("dtype", TYPES)
quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def check(
    tflm: TflmServer,
    model: bytes,
    *,
    stock: Sequence[str] = (),
    inputs: list[list[NDArray[np.generic]]] | None = None,
) -> None:
    """Every compilation runs in TFLM as the original does; only operators of kinds `stock` are left to TFLM."""
    graph = read_model(model).graph
    inputs = inputs or random_inputs([graph.tensors[t] for t in graph.inputs])
    original = tflm.run(model, inputs)
    compiled = list(every_compilation(model, effort=1))
    assert compiled
    for c in compiled:
        left = [(graph.operators[k].kind, r.reason) for k, r in c.plan.split.refusals.items()]
        assert [kind for kind, _ in left] == list(stock), left
        optimized = tflm.run(c.optimized, inputs)
        assert optimized.outputs == original.outputs
        assert optimized.measured_head_bytes == c.plan.planned_head_bytes
    if not stock:
        for entry, expected in zip(inputs, original.outputs, strict=True):
            assert tuple(np.ascontiguousarray(y).tobytes() for y in run_graph_outputs(graph, entry)) == expected
    (region, *others), plan = compiled[0].plan.regions, compiled[0].plan
    if not others and region.inputs == plan.split.graph.inputs and region.outputs == plan.split.graph.outputs:
        for entry, expected in zip(inputs, original.outputs, strict=True):
            assert tuple(run_program(region.program, entry)) == expected


@st.composite
def windows(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], str]:
    """(size, kernel, stride, dilation, padding); no map of several rows shrinks to one row of several columns."""
    size = draw(st.integers(1, 9)), draw(st.integers(1, 7))
    kernel = draw(st.sampled_from([(1, 1), (2, 2), (3, 3), (5, 5), (6, 2), (1, 5), (4, 1)]))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 3), (2, 2)]))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    if padding == "VALID":
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        size = max(size[0], reach[0]), max(size[1], reach[1])
    rows = window_output(size[0], kernel[0], stride[0], dilation[0], padding)
    columns = window_output(size[1], kernel[1], stride[1], dilation[1], padding)
    if size[0] > 1 and rows == 1 and columns > 1:
        stride = (1, stride[1])
        size = (size[0] + 3, size[1])
    return size, kernel, stride, dilation, padding


@quick
@given(
    st.sampled_from(TYPES),
    windows(),
    st.sampled_from(["plain", "grouped", "depthwise", "multiplier"]),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from(BIASES),
    st.integers(0, 999),
)
def test_convolutions_of_any_geometry(
    tflm: TflmServer,
    dtype: str,
    drawn: tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], str],
    kind: str,
    activation: str,
    bias: str | None,
    seed: int,
) -> None:
    size, kernel, stride, dilation, padding = drawn
    b = TypedBuilder(dtype, (1, *size, 4), seed)
    first = b.conv(b.input, 4, (1, 1), bias=bias, activation=activation)
    window = {"stride": stride, "padding": padding, "dilation": dilation, "activation": activation}
    if kind in ("depthwise", "multiplier"):
        channels = 8 if kind == "multiplier" else 4
        b.conv(first, channels, kernel, depthwise=True, bias="wide" if bias else None, **window)  # type: ignore[arg-type]
    else:
        groups = 2 if kind == "grouped" else 1
        b.conv(first, 6, kernel, groups=groups, bias=bias, per_channel=seed % 2 == 0, **window)  # type: ignore[arg-type]
    check(tflm, b.finish())


@quick
@given(
    st.tuples(st.integers(2, 6), st.integers(1, 5)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from(["SAME", "VALID"]),
    st.sampled_from(["wide", None]),
    st.integers(0, 999),
)
def test_transposed_convolutions_of_any_geometry(
    tflm: TflmServer,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: str,
    bias: str | None,
    seed: int,
) -> None:
    """A convolution reads the int16 output, so rows stream on both sides."""
    b = TypedBuilder("INT16", (1, *size, 3), seed)
    made = b.transposed(b.conv(b.input, 4, (1, 1)), 3, kernel, stride, padding, bias=bias, per_channel=seed % 2 == 0)
    b.conv(made, 2, (1, 1))
    check(tflm, b.finish())


def test_a_transposed_convolution_with_a_narrow_bias_stays_stock() -> None:
    """TFLM reads the int32 bias of an int16 TRANSPOSE_CONV as int64, beyond its end. Its result is not defined."""
    b = TypedBuilder("INT16", (1, 4, 4, 3), 0)
    b.conv(b.transposed(b.conv(b.input, 4), 3, bias="narrow"), 2)
    with pytest.raises(Refusal, match="is INT32, needs INT64"):
        split_operator(read_model(b.finish()).graph, read_model(b.finish()).graph.operators[1])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("depthwise", [False, True])
def test_a_convolution_of_one_channel(tflm: TflmServer, dtype: str, depthwise: bool) -> None:
    """Its only multiplier counts as that of the whole tensor."""
    b = TypedBuilder(dtype, (1, 5, 4, 1), 0)
    b.conv(b.input, 1, depthwise=depthwise, bias="wide")
    check(tflm, b.finish())


@quick
@given(
    st.sampled_from(TYPES),
    windows(),
    st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]),
    st.sampled_from(ACTIVATIONS),
    st.integers(0, 999),
)
def test_pools_of_any_geometry(
    tflm: TflmServer,
    dtype: str,
    drawn: tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], str],
    kind: str,
    activation: str,
    seed: int,
) -> None:
    size, kernel, stride, _, padding = drawn
    b = TypedBuilder(dtype, (1, *size, 3), seed)
    if size[0] > 1 and window_output(size[0], kernel[0], stride[0], 1, padding) == 1:
        stride = (1, stride[1])
    if window_output(size[0], kernel[0], stride[0], 1, padding) == 1 and size[0] > 1:
        kernel = (size[0], size[1])  # over everything: a feed
        padding = "VALID"
    b.pool(b.conv(b.input, 3, (1, 1)), kernel, stride, padding, kind, activation)
    check(tflm, b.finish())


@quick
@given(
    st.sampled_from(TYPES),
    st.sampled_from([(1, 24), (3, 8), (1, 3, 8), (1, 4, 3, 2)]),
    st.sampled_from(BIASES),
    st.booleans(),
    st.sampled_from(ACTIVATIONS),
    st.integers(0, 999),
)
def test_dense_layers_whole_and_fed_by_rows(
    tflm: TflmServer,
    dtype: str,
    shape: tuple[int, ...],
    bias: str | None,
    per_channel: bool,
    activation: str,
    seed: int,
) -> None:
    b = TypedBuilder(dtype, shape, seed)
    source = b.conv(b.input, 2, (3, 1)) if len(shape) == 4 else b.input
    depth = 24 if len(shape) == 4 or (shape[0] == 1 and len(shape) == 2) else 8
    b.dense(source, 5, depth=depth, bias=bias, per_channel=per_channel, activation=activation)
    check(tflm, b.finish())


@either_type
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("shape", [(1, 6, 4, 3), (1, 1, 1, 3), (1, 6, 1, 3), (1, 1, 4, 1), (1, 1, 1, 1), (1, 6, 4, 1)])
def test_a_constant_operand_of_any_shape(tflm: TflmServer, dtype: str, kind: str, shape: tuple[int, ...]) -> None:
    b = TypedBuilder(dtype, (1, 6, 4, 3), 3)
    made, constant = b.conv(b.input, 3), b.constant_operand(shape)
    check(tflm, b.finish(b.binary(kind, made, constant), b.binary(kind, constant, made, "RELU6")))


@either_type
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_two_maps_of_different_scales(tflm: TflmServer, dtype: str, kind: str, activation: str) -> None:
    b = TypedBuilder(dtype, (1, 7, 5, 3), 5)
    b.binary(kind, b.conv(b.input, 3), b.conv(b.input, 3, (1, 1)), activation)
    check(tflm, b.finish())


@either_type
def test_a_gate_scales_a_map(tflm: TflmServer, dtype: str) -> None:
    b = TypedBuilder(dtype, (1, 6, 4, 3), 4)
    made = b.conv(b.input, 3)
    gate = b.conv(b.mean(made, keep_dims=True), 3, (1, 1), activation="RELU6")
    check(tflm, b.finish(b.binary("MUL", made, gate)))


@either_type
@pytest.mark.parametrize(("kind", "options"), [("RELU", {}), ("RELU6", {}), ("LEAKY_RELU", {"alpha": 0.15})])
def test_activations_of_their_own(tflm: TflmServer, dtype: str, kind: str, options: dict[str, float]) -> None:
    b = TypedBuilder(dtype, (1, 6, 4, 3), 6)
    if dtype == "INT16":
        b.spread[b.input] = 4.0
        b.tensors[b.input] = type(b.tensors[b.input])((1, 6, 4, 3), "INT16", 4.0 / 8000)
    b.conv(b.unary(kind, b.input, **options), 2)
    check(tflm, b.finish())


@either_type
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_concatenation_along_every_axis(tflm: TflmServer, dtype: str, axis: int) -> None:
    b = TypedBuilder(dtype, (1, 5, 4, 3), 5)
    parts = [b.conv(b.input, 3), b.conv(b.input, 3, depthwise=True), b.conv(b.input, 3, (1, 1))]
    b.conv(b.concat(parts, axis), 2)
    check(tflm, b.finish())


@either_type
@pytest.mark.parametrize("amounts", [((1, 2), (0, 3), (0, 0)), ((0, 1), (1, 0), (2, 1)), ((3, 0), (0, 0), (0, 0))])
@pytest.mark.parametrize("folded", [False, True])
def test_padding_with_nothing(tflm: TflmServer, dtype: str, amounts: tuple[tuple[int, int], ...], folded: bool) -> None:
    b = TypedBuilder(dtype, (1, 5, 4, 3), 8)
    padded = b.pad(b.conv(b.input, 3), ((0, 0), *amounts))
    if folded:
        b.conv(padded, 2, (3, 3), padding="VALID")
    check(tflm, b.finish())


@either_type
@pytest.mark.parametrize("keep_dims", [False, True])
@pytest.mark.parametrize("size", [(6, 5), (1, 9), (7, 1)])
def test_means_over_all_pixels(tflm: TflmServer, dtype: str, keep_dims: bool, size: tuple[int, int]) -> None:
    b = TypedBuilder(dtype, (1, *size, 3), 9)
    b.dense(b.mean(b.conv(b.input, 5), keep_dims), 4)
    check(tflm, b.finish())


@either_type
@pytest.mark.parametrize("size", [(8, 8), (1, 12), (12, 1)])
def test_a_network_ending_in_a_global_pool_reshape_and_dense_layer(
    tflm: TflmServer, dtype: str, size: tuple[int, int]
) -> None:
    b = TypedBuilder(dtype, (1, *size, 3), 10)
    x = b.conv(b.input, 4, stride=(2, 2) if min(size) > 1 else (1, 1), activation="RELU")
    y = b.conv(b.conv(x, 4, depthwise=True, activation="RELU6"), 4, (1, 1))
    z = b.binary("ADD", x, y, "RELU")
    pooled = b.pool(z, b.shape(z)[1:3])
    b.dense(b.reshape(pooled, (1, 4)), 5)
    check(tflm, b.finish())


def test_the_int16_softmax_over_every_difference(tflm: TflmServer) -> None:
    """Two channels that differ by 0 to 65535, and by every power of two between them."""
    b = TypedBuilder("INT16", (1, 128, 512, 2))
    b.softmax(b.input)
    first = np.arange(65536).reshape(1, 128, 512)
    pairs = np.stack([np.minimum(first, 32767), np.minimum(first, 32767) - first], -1).astype(np.int16)
    ends = np.stack([np.full((1, 128, 512), -32768), first - 32768], -1).astype(np.int16)
    check(tflm, b.finish(), inputs=[[pairs], [ends]])


@pytest.mark.parametrize("channels", [1, 2, 10, 300])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_int16_softmax_of_any_width(tflm: TflmServer, channels: int, beta: float) -> None:
    b = TypedBuilder("INT16", (6, channels), channels)
    b.softmax(b.input, beta)
    check(tflm, b.finish())


@pytest.mark.parametrize(("source", "target"), [("INT8", "INT16"), ("INT16", "INT8"), ("INT16", "INT16")])
def test_numbers_change_their_scale_and_width(tflm: TflmServer, source: str, target: str) -> None:
    b = TypedBuilder(source, (1, 64, 8, 16))
    b.unary("QUANTIZE", b.input, target)
    check(tflm, b.finish())


def test_a_float_border_around_an_int16_network(tflm: TflmServer) -> None:
    b = TypedBuilder("FLOAT32", (1, 8, 6, 3))
    inner = b.unary("QUANTIZE", b.input, "INT16")
    b.dtype = "INT16"
    b.unary("DEQUANTIZE", b.conv(inner, 4), "FLOAT32")
    edge = np.array([0.0, -0.0, 1e4, -1e4, 0.5, -0.5, 1e-30], np.float32)
    inputs = [*random_inputs([b.tensors[b.input]]), [np.resize(edge, (1, 8, 6, 3))]]
    check(tflm, b.finish(), inputs=inputs)


@pytest.mark.parametrize("kind", ["SOFTMAX", "LOGISTIC", "TANH", "ELU", "HARD_SWISH"])
def test_a_float_function_gives_tflms_bytes(tflm: TflmServer, kind: str) -> None:
    """Those of this machine's C library, which TFLM calls, too; at the cutoffs of TFLM's LOGISTIC, and with infinities and NaN."""
    b = TypedBuilder("FLOAT32", (1, 8, 6, 3))
    made = b.binary("ADD", b.input, b.input)
    b.softmax(made, 0.7) if kind == "SOFTMAX" else b.unary(kind, made)
    edge = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -4.5, 8.309523, 8.309525, 1e-30, 44.4, -44.0, 60], np.float32)
    inputs = [*random_inputs([b.tensors[b.input]]), [np.resize(edge, (1, 8, 6, 3))]]
    check(tflm, b.finish(), inputs=inputs)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_special_floats_come_out_as_tflm_has_them(tflm: TflmServer) -> None:
    """Infinities, NaN, zeros of both signs and numbers that overflow, through every float kernel."""
    b = TypedBuilder("FLOAT32", (1, 8, 8, 4))
    x = b.binary("ADD", b.conv(b.input, 4, (1, 1), activation="RELU6"), b.input)
    y = b.binary("MUL", b.conv(b.input, 4, depthwise=True), b.unary("LEAKY_RELU", b.input, alpha=0.1))
    pools = b.pool(x, (2, 2), (2, 2), kind="MAX_POOL_2D"), b.pool(y, (2, 2), (2, 2), activation="RELU")
    outputs = (*pools, b.unary("RELU6", y), b.dense(b.mean(x), 3))
    rng = np.random.default_rng(3)
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 3e38, -3e38, 1e-45, 1.0, -1.0], np.float32)
    inputs = [[rng.choice(special, (1, 8, 8, 4), p=[0.02, 0.02, 0.02, 0.2, 0.2, 0.04, 0.04, 0.06, 0.2, 0.2])]]
    check(tflm, b.finish(*outputs), inputs=[[e.astype(np.float32) for e in entry] for entry in inputs])


def test_a_float_embedding_gives_tflms_bytes(tflm: TflmServer) -> None:
    """Entries of a table by indices, and their mean."""
    b = TypedBuilder("FLOAT32", (1, 4), 5)
    b.tensors[b.input] = T((1, 12), "INT32")
    table = b.constant_operand((7, 4))
    entries = b.op("GATHER", (table, b.input), (b.activation((1, 12, 4), 1.0),), axis=0)
    b.mean(entries)
    indices = np.resize(np.array([0, 6, 3, 3, 1], np.int32), (1, 12))
    check(tflm, b.finish(), inputs=[[indices], [indices[:, ::-1].copy()]])
