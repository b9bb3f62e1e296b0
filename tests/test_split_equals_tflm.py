"""Every way of splitting a network gives TFLM's bytes, on networks drawn at random, in the real TFLM.

One network is compiled in every configuration: concatenations copied and written in place, every candidate operator
order. Each optimised model must run in TFLM, give the same bytes as the original, and take exactly the planned head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import Network, networks
from split_stages import every_compilation
from tflm_server import TflmServer
from tiny_models import Builder, Op, T, build_model, window_output

from tflm_split.tflite.reader import read_model

Window = tuple[int, int, int, int, int, int, str]


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def inputs_of(model: bytes, count: int = 3) -> list[list[np.ndarray]]:
    """`count` random inputs over the whole range of each type."""
    graph = read_model(model).graph
    rng = np.random.default_rng(7)
    entries = []
    for _ in range(count):
        entry: list[np.ndarray] = []
        for tensor in (graph.tensors[t] for t in graph.inputs):
            if tensor.dtype == "FLOAT32":
                entry.append(rng.normal(0, 2, tensor.shape).astype(np.float32))
            else:
                entry.append(rng.integers(-128, 128, tensor.shape).astype(np.int8))
        entries.append(entry)
    return entries


def check(
    tflm: TflmServer, model: bytes, *, all_split: bool = False, inputs: list[list[np.ndarray]] | None = None
) -> None:
    """Every compilation gives TFLM's bytes, on `inputs` or random ones. `all_split`: no operator may stay stock."""
    inputs = inputs or inputs_of(model)
    original = tflm.run(model, inputs)
    compiled = list(every_compilation(model))
    assert compiled or not all_split
    for c in compiled:
        if all_split:
            assert not c.plan.split.stock, {k: r.reason for k, r in c.plan.split.refusals.items()}
        optimized = tflm.run(c.optimized, inputs)
        assert optimized.outputs == original.outputs
        assert optimized.measured_head_bytes == c.plan.planned_head_bytes
        assert c.plan.planned_head_bytes >= c.plan.lower_bound_bytes


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_any_network(tflm: TflmServer, model: bytes) -> None:
    check(tflm, model)


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, int, Window]:
    """(height, width, (kernel height, width, row stride, column stride, row dilation, column dilation, padding))."""
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 10))
    kernel = draw(st.sampled_from([(1, 1), (2, 2), (3, 3), (5, 5), (10, 4), (1, 5), (7, 1), (4, 3)]))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 3), (2, 2), (3, 3)]))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    if padding == "VALID":
        height = max(height, (kernel[0] - 1) * dilation[0] + 1)
        width = max(width, (kernel[1] - 1) * dilation[1] + 1)
    return height, width, (*kernel, *stride, *dilation, padding)


def rows_keep_their_axis(height: int, width: int, kernel: int, stride: int, dilation: int, padding: str) -> bool:
    """A map whose rows run along H must not shrink to several columns of height 1."""
    return height == 1 or width == 1 or window_output(height, kernel, stride, dilation, padding) > 1


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(windows(), st.sampled_from(["convolution", "grouped", "depthwise", "multiplier"]), st.integers(0, 999))
def test_convolutions_of_any_geometry(tflm: TflmServer, drawn: tuple[int, int, Window], kind: str, seed: int) -> None:
    height, width, (kh, kw, sh, sw, dh, dw, padding) = drawn
    b = Builder((1, height, width, 4), seed=seed)
    window: dict[str, Any] = {"stride": (sh, sw), "padding": padding, "dilation": (dh, dw)}
    first = b.conv(b.input, 4, 1, 1, activation="RELU6")
    if kind in ("depthwise", "multiplier"):
        last = b.depthwise(first, kh, kw, multiplier=2 if kind == "multiplier" else 1, **window)
    else:
        last = b.conv(first, 6, kh, kw, groups=2 if kind == "grouped" else 1, per_channel=seed % 2 == 0, **window)
    out_width = window_output(width, kw, sw, dw, padding)
    check(tflm, b.finish(last), all_split=rows_keep_their_axis(height, out_width, kh, sh, dh, padding))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(windows(), st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]), st.integers(0, 999))
def test_pools_of_any_geometry(tflm: TflmServer, drawn: tuple[int, int, Window], kind: str, seed: int) -> None:
    height, width, (kh, kw, sh, sw, _, _, padding) = drawn
    b = Builder((1, height, width, 3), seed=seed)
    last = b.pool(b.depthwise(b.input), kh, kw, (sh, sw), padding, kind=kind, activation="RELU")
    out_width = window_output(width, kw, sw, 1, padding)
    check(tflm, b.finish(last), all_split=rows_keep_their_axis(height, out_width, kh, sh, 1, padding))


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("shape", [(1, 6, 4, 3), (1, 1, 1, 3), (1, 6, 1, 3), (1, 1, 4, 1), (1, 1, 1, 1), (1, 6, 4, 1)])
def test_a_constant_operand_of_any_shape(tflm: TflmServer, kind: str, shape: tuple[int, ...]) -> None:
    b = Builder((1, 6, 4, 3), seed=3)
    made, constant = b.conv(b.input, 3), b.quantized_constant(shape)
    both = b.add(made, constant, kind=kind), b.add(constant, made, kind=kind, activation="RELU6")
    check(tflm, b.finish(*both), all_split=True)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_a_squeezed_map_scales_a_whole_one(tflm: TflmServer, kind: str) -> None:
    b = Builder((1, 6, 4, 3), seed=4)
    made = b.conv(b.input, 3)
    gate = b.unary("LOGISTIC", b.conv(b.mean(made, keep_dims=True), 3, 1, 1))
    check(tflm, b.finish(b.add(made, gate, kind=kind)), all_split=True)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_concatenation_along_every_axis(tflm: TflmServer, axis: int) -> None:
    b = Builder((1, 5, 4, 3), seed=5)
    parts = [b.conv(b.input, 3), b.depthwise(b.input), b.conv(b.input, 3, 1, 1)]
    check(tflm, b.finish(b.conv(b.concat(parts, axis), 2)), all_split=True)


@pytest.mark.parametrize("axes", [(2, 3), (3, 2), (1, 3), (3, 1), (1, 2), (2, 1), (3, 3)])
def test_a_concatenation_inside_a_concatenation(tflm: TflmServer, axes: tuple[int, int]) -> None:
    b = Builder((1, 6, 4, 4), seed=6)
    inner = b.concat([b.conv(b.input, 4), b.conv(b.input, 4)], axes[0])
    channels = b.shape(inner)[3]
    outer = b.concat([inner, b.conv(inner, channels)], axes[1])
    check(tflm, b.finish(b.conv(inner, 3), b.conv(outer, 2)), all_split=True)


def test_a_dense_block_reads_what_it_extends(tflm: TflmServer) -> None:
    b = Builder((1, 8, 4, 4), seed=7)
    first = b.conv(b.input, 4)
    second = b.concat([first, b.conv(first, 4)])
    third = b.concat([second, b.conv(second, 3)])
    check(tflm, b.finish(b.conv(third, 2)), all_split=True)


def test_a_tensor_joined_with_itself(tflm: TflmServer) -> None:
    b = Builder((1, 6, 4, 4), seed=8)
    made = b.conv(b.input, 4)
    check(tflm, b.finish(b.conv(b.concat([made, made]), 2)), all_split=True)


@pytest.mark.parametrize("units", [1, 7])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_dense_layer_fed_row_by_row(tflm: TflmServer, units: int, per_channel: bool) -> None:
    b = Builder((1, 6, 4, 3), seed=9)
    flat = b.reshape(b.conv(b.input, 3), (1, 72))
    check(tflm, b.finish(b.softmax(b.dense(flat, units, per_channel=per_channel))), all_split=True)


def test_float_at_both_ends(tflm: TflmServer) -> None:
    n = Network((1, 6, 4, 3), seed=10)
    other = n.float_input((1, 6, 4, 3))
    made = n.add(n.conv(other, 3), n.through_uint8(n.input))
    check(tflm, n.finish(n.dequantized(made)), all_split=True)


def test_several_regions_inputs_and_outputs(tflm: TflmServer) -> None:
    n = Network((1, 6, 6, 4), seed=11)
    second = n.add_input((1, 6, 6, 4))
    first = n.conv(n.input, 4)
    turned = n.reversed(n.add(first, second))
    joined = n.concat([n.conv(turned, 4), first])
    last = n.conv(n.reversed(joined), 2)
    check(tflm, n.finish(last, n.mean(first)))


def corner_unread_input_rows(n: Network) -> tuple[int, ...]:
    """Most rows of the first input are never read. The application writes all of them, next to the second input."""
    second = n.add_input((1, 1, 1, 16))
    return n.pool(n.input, 1, 1, (4, 4), "VALID", kind="MAX_POOL_2D"), n.unary("LOGISTIC", second)


def corner_rows_skipped_beyond_a_stock_operator(n: Network) -> tuple[int, ...]:
    """Another region reads every other row only, but TFLM sees the whole tensor."""
    made, turned = n.conv(n.input, 4), n.reversed(n.input)
    return n.conv(made, 4, 1, 1, 2, "VALID"), turned


def corner_concatenation_across_a_stock_operator(n: Network) -> tuple[int, ...]:
    first, turned = n.conv(n.input, 4), n.reversed(n.input)
    return (n.conv(n.concat([first, n.conv(turned, 4)], 1), 2),)


def corner_grouped_convolution_of_a_flattened_map(n: Network) -> tuple[int, ...]:
    flat = n.reshape(n.conv(n.input, 2), (1, 1, 1, 128))
    return n.conv(flat, 4, 1, 1, groups=2), n.conv(flat, 4, 3, 3), n.conv(flat, 4, 1, 1)


def corner_constant_seen_as_two_shapes(n: Network) -> tuple[int, ...]:
    """Rows of a map for one operator, one broadcast row for the other."""
    constant = n.quantized_constant((1, 8, 4))
    return n.add(n.input, constant), n.add(n.add_input((1, 8, 4)), constant)


def corner_dead_operator_on_its_own(n: Network) -> tuple[int, ...]:
    made = n.conv(n.input, 4)
    turned = n.reversed(made)
    n.conv(made, 3)
    return (n.conv(n.reversed(turned), 2),)


def corner_pad_that_cannot_be_folded(n: Network) -> tuple[int, ...]:
    """The convolution's rows would not be the rows its input is made of."""
    seen = n.reshape(n.conv(n.input, 4), (1, 4, 16, 4))
    padded = n.pad(seen, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return (n.conv(padded, 3, padding="VALID"),)


def corner_input_that_is_an_output(n: Network) -> tuple[int, ...]:
    return n.conv(n.input, 4), n.input


def corner_reshapes_between_stock_operators(n: Network) -> tuple[int, ...]:
    made, turned = n.conv(n.input, 4), n.reversed(n.input)
    return n.softmax(n.reshape(n.reshape(made, (1, 64, 4)), (64, 4))), n.reversed(turned)


def corner_output_and_its_reshape(n: Network) -> tuple[int, ...]:
    made = n.conv(n.input, 4)
    return made, n.reshape(made, (1, 64, 4)), n.reshape(made, (1, 256))


def corner_reshaped_input_beside_itself(n: Network) -> tuple[int, ...]:
    """A region reads the same bytes under two names."""
    seen, turned = n.reshape(n.input, (1, 8, 8, 4)), n.reversed(n.input)
    return n.add(n.add(seen, n.input), turned), n.conv(seen, 2), n.reversed(turned)


def corner_reshapes_that_only_lean_on_each_other(n: Network) -> tuple[int, ...]:
    seen = n.reshape(n.reshape(n.input, (1, 64, 4)), (1, 8, 8, 4))
    return n.reversed(seen), n.unary("RELU", n.add_input((1, 5)))


def corner_slice_of_a_reshape(n: Network) -> tuple[int, ...]:
    seen = n.reshape(n.unary("LOGISTIC", n.input), (1, 4, 16, 4))
    return (n.unary("TANH", n.sliced(seen, (0, 0, 2, 1), (1, 4, 8, 2), False)),)


def corner_reshape_of_a_slice(n: Network) -> tuple[int, ...]:
    part = n.sliced(n.unary("LOGISTIC", n.input), (0, 0, 0, 1), (1, 8, 8, 2), False)
    return n.unary("TANH", n.reshape(part, (1, 8, 4, 4))), n.dense(n.reshape(part, (1, 128)), 3)


def corner_row_slice_of_an_input_cut_finer(n: Network) -> tuple[int, ...]:
    """Another reader needs single pixels as pieces, so the slice starts many pieces into the input, not two."""
    pixels = n.unary("LOGISTIC", n.reshape(n.input, (1, 64, 4)))
    part = n.sliced(n.input, (0, 2, 0, 0), (1, 4, 8, 4), False)
    return pixels, n.unary("TANH", n.reshape(part, (1, 32, 4)))


def corner_reshaped_slice_that_is_an_output(n: Network) -> tuple[int, ...]:
    part = n.sliced(n.conv(n.input, 4), (0, 2, 0, 0), (1, 4, 8, 4), True)
    seen = n.reshape(part, (1, 32, 4))
    return seen, n.unary("RELU", seen)


CORNERS = {name.removeprefix("corner_"): build for name, build in list(globals().items()) if name.startswith("corner_")}


@pytest.mark.parametrize("name", CORNERS)
def test_corner(tflm: TflmServer, name: str) -> None:
    n = Network((1, 8, 8, 4), seed=12)
    check(tflm, n.finish(*CORNERS[name](n)))


@pytest.mark.parametrize("shape", [(2, 1, 1, 8), (1, 2, 1, 1, 8), (3, 2, 2, 8)])
def test_a_dense_layer_over_shapes_without_rows_stays_stock(tflm: TflmServer, shape: tuple[int, ...]) -> None:
    target = (*shape[:-1], 4)
    tensors = [T(shape, scale=0.05), T((4, 8), scale=0.01, data=np.ones((4, 8), np.int8)), T(target, scale=0.05)]
    model = build_model(tensors, [Op("FULLY_CONNECTED", [0, 1], [2], {"keep_num_dims": True})], [0], [2])
    assert list(every_compilation(model)) == []


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> bytes:
    """A table, a TRANSPOSE_CONV of any geometry, and a convolution, so that rows stream on both sides."""
    b = Builder((1, draw(st.integers(1, 9)), draw(st.integers(2, 7)), 3), seed=draw(st.integers(0, 999)))
    rng = b.rng
    size = b.shape(b.input)[1:3]
    kernel = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    extra = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    if size[0] == 1:  # rows run along the width, and must stay so
        stride, padding, extra, kernel = (1, stride[1]), "SAME", (0, extra[1]), (draw(st.integers(1, 2)), kernel[1])
    out = tuple(
        n * s + e if padding == "SAME" else (n - 1) * s + k + e
        for n, k, s, e in zip(size, kernel, stride, extra, strict=True)
    )
    filters = draw(st.integers(1, 5))
    many = filters > 1 and draw(st.booleans())
    scales = rng.uniform(0.002, 0.01, filters if many else 1).tolist()
    source = b.unary("TANH", b.input)
    shape = b.constant(np.array([1, *out, filters]))
    weights = b.constant(rng.integers(-127, 128, (filters, *kernel, 3)), "INT8", scale=scales)
    inputs = [shape, weights, source]
    if draw(st.booleans()):
        bias_scales = [b.scale(source) * s for s in scales]
        inputs.append(b.constant(rng.integers(-5000, 5000, filters), scale=bias_scales))
    b.tensors.append(T((1, *out, filters), scale=0.03, zero_point=draw(st.integers(-50, 50))))
    made = len(b.tensors) - 1
    b.operators.append(
        Op(
            "TRANSPOSE_CONV",
            inputs,
            [made],
            {
                "padding": padding,
                "stride_h": stride[0],
                "stride_w": stride[1],
                "fused_activation_function": draw(st.sampled_from(["NONE", "RELU", "RELU6"])),
            },
        )
    )
    return b.finish(table(b, made))


def table(b: Builder, source: int) -> int:
    """A LOGISTIC of `source`, added without the builder's float run."""
    b.tensors.append(T(b.shape(source), scale=1 / 256, zero_point=-128))
    b.operators.append(Op("LOGISTIC", [source], [len(b.tensors) - 1]))
    return len(b.tensors) - 1


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(transposed_convolutions())
def test_transposed_convolutions_of_any_geometry(tflm: TflmServer, model: bytes) -> None:
    check(tflm, model, all_split=True)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.tuples(st.integers(2, 9), st.integers(1, 7)),
    st.tuples(st.integers(2, 20), st.integers(1, 15)),
    st.booleans(),
    st.booleans(),
)
def test_resizes_of_any_geometry(
    tflm: TflmServer, size: tuple[int, int], out: tuple[int, int], align_corners: bool, half_pixel_centers: bool
) -> None:
    b = Builder((1, *size, 3), seed=8)
    source = b.conv(b.input, 4)
    b.tensors.append(T((1, *out, 4), scale=b.scale(source), zero_point=b.tensors[source].zero_point))
    made = len(b.tensors) - 1
    options = {"align_corners": align_corners, "half_pixel_centers": half_pixel_centers}
    b.operators.append(Op("RESIZE_NEAREST_NEIGHBOR", [source, b.constant(np.array(out))], [made], options))
    check(tflm, b.finish(table(b, made)), all_split=True)
