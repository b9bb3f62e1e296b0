"""Each portable C kernel computes the same as a reference written from the definition, for random geometries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_scene import LAYOUTS, Array, Image, Scene, requantize, wrap

from tflm_split.arithmetic.softmax import softmax_parameters
from tflm_split.kinds import MeanMode, OpKind, WeightFlags

Fields = dict[str, Any]
examples = settings(max_examples=60, deadline=None)
layouts = st.sampled_from(LAYOUTS)
seeds = st.integers(0, 2**32 - 1)


def int8s(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(-128, 128, shape, dtype=np.int8)


@st.composite
def windows(draw: st.DrawFn, dilated: bool = True) -> dict[str, int]:
    """A random window, padded or cropped on every side. Some output pixel touches the input."""
    values = {}
    for axis in ("rows", "columns"):
        values[f"kernel_{axis}"] = draw(st.integers(1, 4))
        values[f"stride_{axis}"] = draw(st.integers(1, 3))
        values[f"dilation_{axis}"] = draw(st.integers(1, 3)) if dilated else 1
        values[f"pad_{axis}"] = draw(st.integers(-2, 3))
    return values


def taps(x: Array, window: dict[str, int], shape: tuple[int, int]) -> tuple[Array, Array]:
    """Every value the window reads, int64[out rows, out columns, kernel rows, kernel columns, channels], and whether it
    lies inside the input."""
    index, inside = [], []
    for axis, (outputs, inputs) in zip(("rows", "columns"), zip(shape, x.shape, strict=False), strict=True):
        first = np.arange(outputs) * window[f"stride_{axis}"] - window[f"pad_{axis}"]
        read = first[:, None] + np.arange(window[f"kernel_{axis}"]) * window[f"dilation_{axis}"]
        inside.append((read >= 0) & (read < inputs))
        index.append(np.clip(read, 0, inputs - 1))
    rows, columns = index
    values = x[rows[:, None, :, None], columns[None, :, None, :]].astype(np.int64)
    return values, (inside[0][:, None, :, None] & inside[1][None, :, None, :])[..., None]


def requantization(
    scene: Scene, rng: np.random.Generator, channels: int, per_channel: bool, low: int, high: int, taps: int
) -> tuple[Fields, Array, Array]:
    """(fields, multipliers, shifts) that scale a sum of `taps` products to about 8 bits."""
    entries = channels if per_channel else 1
    multipliers = rng.integers(1 << 30, 1 << 31, entries, dtype=np.int64).astype(np.int32)
    shifts = (-rng.integers(4, 9, entries) - taps.bit_length() // 2).astype(np.int8)
    fields = {
        "output_zero_point": int(rng.integers(-128, 128)),
        "output_min": low,
        "output_max": high,
        "multipliers_offset": scene.constant(multipliers),
        "shifts_offset": scene.constant(shifts),
        "flags": int(WeightFlags.PER_CHANNEL) if per_channel else 0,
    }
    return fields, multipliers, shifts


def window_of(**fields: int) -> dict[str, int]:
    """A window of one pixel with other values for `fields`."""
    ones = {f"{name}_{axis}": 1 for name in ("kernel", "stride", "dilation") for axis in ("rows", "columns")}
    return {**ones, "pad_rows": 0, "pad_columns": 0, **fields}


def weighted(scene: Scene, weights: Array, summed: int | tuple[int, ...], bias: Array | int, zero_point: int) -> Fields:
    """The fields of weights and of a bias with the zero point folded in. An output sums over the axes `summed`."""
    folded = wrap(bias - zero_point * weights.astype(np.int64).sum(summed)).astype(np.int32)
    constants = {"weights_offset": scene.constant(weights), "bias_offset": scene.constant(folded)}
    return {**constants, "input_zero_point": zero_point}


def to_int8(sums: Array, fields: Fields, multipliers: Array, shifts: Array) -> Array:
    value = requantize(wrap(sums), multipliers, shifts) + fields["output_zero_point"]
    clamped: Array = np.clip(value, fields["output_min"], fields["output_max"]).astype(np.int8)
    return clamped


ranges = st.sampled_from([(-128, 127), (-128, 0), (-20, 100)])


@examples
@given(
    windows(),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(1, 5), st.integers(1, 6)),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(-128, 127),
    st.booleans(),
    ranges,
    layouts,
    layouts,
    st.tuples(st.integers(0, 3), st.integers(0, 2)),
    seeds,
)
def test_convolution(
    window: dict[str, int],
    in_shape: tuple[int, int],
    out_shape: tuple[int, int],
    groups: int,
    group_depth: int,
    group_filters: int,
    zero_point: int,
    per_channel: bool,
    limits: tuple[int, int],
    in_layout: str,
    out_layout: str,
    spacing: tuple[int, int],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    depth, filters = groups * group_depth, groups * group_filters
    gap, margin = spacing
    x = int8s(rng, *in_shape, depth)
    weights = int8s(rng, filters, window["kernel_rows"], window["kernel_columns"], group_depth)
    bias = rng.integers(-(1 << 14), 1 << 14, filters, dtype=np.int32)
    source = scene.holding(x, gap=gap, margin=margin, layout=in_layout, first_row=seed % 3)
    output = scene.image((*out_shape, filters), gap=margin, margin=gap, layout=out_layout, first_row=seed % 2)
    fields, multipliers, shifts = requantization(scene, rng, filters, per_channel, *limits, weights[0].size)
    params = {**window, **fields, **weighted(scene, weights, (1, 2, 3), bias, zero_point), "groups": groups}
    values, inside = taps(x, window, out_shape)
    values = np.where(inside, values - zero_point, 0)
    sums = np.concatenate(
        [
            np.einsum(
                "yxklc,fklc->yxf",
                values[..., g * group_depth : (g + 1) * group_depth],
                weights[g * group_filters : (g + 1) * group_filters].astype(np.int64),
            )
            for g in range(groups)
        ],
        -1,
    )
    expected = to_int8(sums + bias, fields, multipliers, shifts)
    assert np.array_equal(scene.run(OpKind.CONV, params, output, source), expected)


@examples
@given(
    windows(),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(1, 5), st.integers(1, 6)),
    st.sampled_from([1, 2, 5, 31, 32, 33, 65]),
    st.sampled_from([1, 1, 2, 3]),
    st.integers(-128, 127),
    st.booleans(),
    layouts,
    st.tuples(st.integers(0, 3), st.integers(0, 2)),
    seeds,
)
def test_depthwise_convolution(
    window: dict[str, int],
    in_shape: tuple[int, int],
    out_shape: tuple[int, int],
    depth: int,
    multiplier: int,
    zero_point: int,
    per_channel: bool,
    layout: str,
    spacing: tuple[int, int],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    gap, margin = spacing
    channels = depth * multiplier
    x = int8s(rng, *in_shape, depth)
    weights = int8s(rng, window["kernel_rows"], window["kernel_columns"], channels)
    bias = rng.integers(-(1 << 14), 1 << 14, channels, dtype=np.int32)
    source = scene.holding(x, gap=gap, margin=margin, layout=layout)
    output = scene.image((*out_shape, channels), gap=margin, layout=layout)
    fields, multipliers, shifts = requantization(scene, rng, channels, per_channel, -128, 127, weights[..., 0].size)
    params = {**window, **fields, **weighted(scene, weights, (0, 1), bias, zero_point), "groups": multiplier}
    values, inside = taps(np.repeat(x, multiplier, axis=2), window, out_shape)
    sums = np.einsum("yxklc,klc->yxc", np.where(inside, values - zero_point, 0), weights.astype(np.int64))
    expected = to_int8(sums + bias, fields, multipliers, shifts)
    assert np.array_equal(scene.run(OpKind.DEPTHWISE, params, output, source), expected)


def test_a_window_of_32_rows_and_no_column_inside() -> None:
    rng = np.random.default_rng(0)
    scene = Scene(rng)
    x, weights = int8s(rng, 40, 2, 3), int8s(rng, 2, 32, 1, 3)
    source, output = scene.holding(x), scene.image((9, 4, 2))
    fields, multipliers, shifts = requantization(scene, rng, 2, True, -128, 127, 96)
    window = window_of(kernel_rows=32, pad_columns=1)
    params = {**window, **fields, **weighted(scene, weights, (1, 2, 3), 0, 7), "groups": 1}
    values, inside = taps(x, window, (9, 4))
    sums = np.einsum("yxklc,fklc->yxf", np.where(inside, values - 7, 0), weights.astype(np.int64))
    assert np.array_equal(scene.run(OpKind.CONV, params, output, source), to_int8(sums, fields, multipliers, shifts))


def test_requantisation_over_all_magnitudes() -> None:
    """A convolution with zero weights and 4,000 biases shows the bare arithmetic, with left and right shifts."""
    rng = np.random.default_rng(3)
    count = 4000
    bias = (rng.integers(-(1 << 31), 1 << 31, count) >> rng.integers(0, 31, count)).astype(np.int32)
    multipliers = (rng.integers(0, 1 << 31, count) >> rng.integers(0, 4, count)).astype(np.int32)
    magnitude = np.log2(np.abs(bias) + 1.0) + np.log2(multipliers + 1.0) - 31
    shifts = np.clip(np.round(6 - magnitude + rng.integers(-2, 4, count)), -31, 30).astype(np.int8)
    bias[:4], multipliers[:4], shifts[:4] = (-(1 << 31), 2**31 - 1, -1, 1), 2**31 - 1, (-31, -31, -31, 0)
    scene = Scene(rng)
    source, output = scene.image((1, 1, 1)), scene.image((1, 1, count))
    fields = {"output_zero_point": 5, "output_min": -128, "output_max": 127}
    params = {
        **window_of(),
        **fields,
        "input_zero_point": 0,
        "bias_offset": scene.constant(bias),
        "multipliers_offset": scene.constant(multipliers),
        "shifts_offset": scene.constant(shifts),
        "weights_offset": scene.constant(np.zeros(count, np.int8)),
        "groups": 1,
        "flags": int(WeightFlags.PER_CHANNEL),
    }
    expected = to_int8(bias[None, None].astype(np.int64), fields, multipliers, shifts)
    assert len(np.unique(expected)) > 200
    assert np.array_equal(scene.run(OpKind.CONV, params, output, source), expected)


def touches_everywhere(window: dict[str, int], in_shape: tuple[int, int], out_shape: tuple[int, int]) -> bool:
    """Whether every window has a tap inside its input."""
    _, inside = taps(np.zeros((*in_shape, 1), np.int8), window, out_shape)
    return bool(inside.any((2, 3)).all())


@examples
@given(
    st.sampled_from([OpKind.AVERAGE_POOL, OpKind.MAX_POOL]),
    windows(dilated=False),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.sampled_from([1, 3, 32, 33, 70]),
    ranges,
    layouts,
    st.tuples(st.integers(0, 3), st.integers(0, 2)),
    seeds,
)
def test_pooling(
    kind: OpKind,
    window: dict[str, int],
    in_shape: tuple[int, int],
    channels: int,
    limits: tuple[int, int],
    layout: str,
    spacing: tuple[int, int],
    seed: int,
) -> None:
    out_shape = next(
        ((h, w) for h in (4, 2, 1) for w in (5, 2, 1) if touches_everywhere(window, in_shape, (h, w))), None
    )
    if out_shape is None:
        return
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    x = int8s(rng, *in_shape, channels)
    source = scene.holding(x, gap=spacing[0], margin=spacing[1], layout=layout)
    output = scene.image((*out_shape, channels), gap=spacing[1], layout=layout)
    values, inside = taps(x, window, out_shape)
    if kind is OpKind.AVERAGE_POOL:
        sums, count = np.where(inside, values, 0).sum((2, 3)), inside.sum((2, 3))
        magnitude = (np.abs(sums) + count // 2) // count
        expected = np.where(sums > 0, magnitude, -magnitude)
    else:
        expected = np.where(inside, values, -128).max((2, 3))
    params = {**window, "output_min": limits[0], "output_max": limits[1]}
    assert np.array_equal(scene.run(kind, params, output, source), np.clip(expected, *limits))


def binary_params(rng: np.random.Generator, kind: OpKind) -> dict[str, int]:
    def multiplier() -> int:
        return int(rng.integers(1 << 30, 1 << 31))

    def zero_point() -> int:
        return int(rng.integers(-128, 128))

    output_shift = -9 if kind is OpKind.MUL else -18
    params = {"left_shift": 0 if kind is OpKind.MUL else 20, "output_shift": output_shift + int(rng.integers(-1, 2))}
    params |= {"zero_point1": zero_point(), "zero_point2": zero_point(), "output_zero_point": zero_point()}
    params |= {"multiplier1": multiplier(), "shift1": -int(rng.integers(0, 3)), "output_min": -128}
    params |= {"multiplier2": multiplier(), "shift2": -int(rng.integers(0, 3)), "output_max": 127}
    return params | {"output_multiplier": multiplier()}


def binary_reference(kind: OpKind, p: dict[str, int], x: Array, y: Array) -> Array:
    a, b = x.astype(np.int64) - p["zero_point1"], y.astype(np.int64) - p["zero_point2"]
    if kind is OpKind.MUL:
        value = a * b
    else:
        a = requantize(a << p["left_shift"], p["multiplier1"], p["shift1"])
        b = requantize(b << p["left_shift"], p["multiplier2"], p["shift2"])
        value = a + b if kind is OpKind.ADD else a - b
    value = requantize(value, p["output_multiplier"], p["output_shift"]) + p["output_zero_point"]
    clamped: Array = np.clip(value, p["output_min"], p["output_max"]).astype(np.int8)
    return clamped


BINARY = (OpKind.ADD, OpKind.SUB, OpKind.MUL)
axes = st.tuples(st.booleans(), st.booleans(), st.booleans())


@examples
@given(
    st.sampled_from(BINARY),
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 9)),
    axes,
    axes,
    st.booleans(),
    layouts,
    st.integers(0, 3),
    seeds,
)
def test_binary_with_either_operand_broadcast_along_any_axis(
    kind: OpKind,
    shape: tuple[int, int, int],
    narrow1: tuple[bool, bool, bool],
    narrow2: tuple[bool, bool, bool],
    constant: bool,
    layout: str,
    gap: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    x, y = (int8s(rng, *(1 if n else d for n, d in zip(narrow, shape, strict=True))) for narrow in (narrow1, narrow2))
    first, output = scene.holding(x, gap=gap, layout=layout), scene.image(shape, margin=gap, layout=layout)
    second = scene.constant_image(y) if constant else scene.holding(y, margin=gap)
    params = binary_params(rng, kind)
    expected = np.broadcast_to(binary_reference(kind, params, x, y), shape)
    assert np.array_equal(scene.run(kind, params, output, first, second), expected)


@pytest.mark.parametrize("kind", BINARY)
@pytest.mark.parametrize("in_place_of", [1, 2])
def test_binary_may_write_over_either_operand(kind: OpKind, in_place_of: int) -> None:
    rng = np.random.default_rng(kind * 2 + in_place_of)
    scene = Scene(rng)
    x, y = int8s(rng, 3, 4, 5), int8s(rng, 3, 4, 5)
    first, second = scene.holding(x, gap=2), scene.holding(y)
    params = binary_params(rng, kind)
    output = first if in_place_of == 1 else second
    assert np.array_equal(scene.run(kind, params, output, first, second), binary_reference(kind, params, x, y))


@pytest.mark.parametrize("in_place", [False, True])
def test_lut_of_bytes(in_place: bool) -> None:
    rng = np.random.default_rng(1)
    scene = Scene(rng)
    x, table = int8s(rng, 3, 5, 7), int8s(rng, 256)
    source = scene.holding(x, gap=1)
    output = source if in_place else scene.image(x.shape, margin=3, layout="table32")
    result = scene.run(OpKind.LUT, {"table_offset": scene.constant(table)}, output, source)
    assert np.array_equal(result, table[x.view(np.uint8)])


def test_lut_of_floats() -> None:
    rng = np.random.default_rng(2)
    scene = Scene(rng)
    x, table = int8s(rng, 3, 5, 7), rng.normal(size=256).astype(np.float32)
    source, output = scene.holding(x, layout="table32"), scene.image(x.shape, dtype="float32", gap=1)
    result = scene.run(OpKind.LUT, {"table_offset": scene.constant(table)}, output, source)
    assert np.array_equal(result, table[x.view(np.uint8)])


@pytest.mark.parametrize("limits", [(-128, 127), (0, 255)])
def test_floats_are_rounded_half_away_from_zero(limits: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    scene = Scene(rng)
    scale = np.float32(0.125)
    halves = (np.arange(-300, 301) / 2 * 0.125).astype(np.float32)
    near = np.nextafter(halves, np.float32(np.inf)), np.nextafter(halves, np.float32(-np.inf))
    x = np.concatenate([halves, *near, rng.normal(0, 20, 197).astype(np.float32)]).reshape(2, 100, 10)
    source, output = scene.holding(x, margin=1), scene.image(x.shape)
    ratio = x / scale
    rounded = np.sign(ratio) * np.floor(np.abs(ratio.astype(np.float64)) + 0.5)
    expected = np.clip(rounded + 3, *limits).astype(np.int64)
    params = {"scale": float(scale), "zero_point": 3, "output_min": limits[0], "output_max": limits[1]}
    result = scene.run(OpKind.QUANTIZE_FLOAT, params, output, source)
    assert np.array_equal(result.view(np.int8 if limits[0] < 0 else np.uint8), expected)


def test_floats_without_an_integer_saturate_and_nan_is_zero() -> None:
    scene = Scene(np.random.default_rng(5))
    x = np.array([np.inf, -np.inf, 3e38, -3e38, 2.0**31, -(2.0**31), np.nan, 0.0], np.float32).reshape(1, 1, 8)
    source, output = scene.holding(x), scene.image(x.shape)
    params = {"scale": 1.0, "zero_point": -3, "output_min": -128, "output_max": 127}
    result = scene.run(OpKind.QUANTIZE_FLOAT, params, output, source)
    assert result.tolist() == [[[127, -128, 127, -128, 127, -128, -3, -3]]]


def test_floats_may_be_quantised_where_they_lie() -> None:
    rng = np.random.default_rng(6)
    scene = Scene(rng)
    x = rng.normal(0, 20, (2, 3, 4)).astype(np.float32)
    source = scene.holding(x)
    view = scene.views[source.view]
    scene.views.append(type(view)(view.storage, 0, 2, 3, 4, 16))
    output = Image(len(scene.views) - 1, source.places[:, :, :4], "int8")
    params = {"scale": 1.0, "zero_point": 0, "output_min": -128, "output_max": 127}
    result = scene.run(OpKind.QUANTIZE_FLOAT, params, output, source)
    assert np.array_equal(result, np.clip(np.sign(x) * np.floor(np.abs(x) + 0.5), -128, 127))


def softmax_reference(exps: Array, x: Array) -> Array:
    """SOFTMAX in floating point. TFLM approximates the quotient with Newton's iterations."""
    below = x.max(-1, keepdims=True).astype(np.int64) - x
    counted = below < len(exps)
    e = np.where(counted, exps[np.minimum(below, len(exps) - 1)].astype(np.float64), 0)
    quotients: Array = np.clip(np.round(256 * e / e.sum(-1, keepdims=True)) - 128, -128, 127)
    return quotients


@examples
@given(st.floats(1e-4, 2.0), st.integers(1, 40), st.booleans(), st.booleans(), seeds)
def test_softmax_is_within_one_of_the_quotient(
    scale: float, channels: int, in_place: bool, smooth: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    x = int8s(rng, 2, 3, channels) // (16 if smooth else 1)
    data, count = softmax_parameters(float(np.float32(scale)), 1.0)
    exps = np.frombuffer(data, np.int32)
    source = scene.holding(x, gap=2)
    output = source if in_place else scene.image(x.shape, gap=1, layout="table32")
    result = scene.run(OpKind.SOFTMAX, {"exps_offset": scene.constant(exps), "exp_count": count}, output, source)
    assert np.abs(result - softmax_reference(exps, x)).max() <= 1


@examples
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6)),
    st.integers(-128, 127),
    st.booleans(),
    ranges,
    layouts,
    layouts,
    st.tuples(st.integers(0, 3), st.integers(0, 2)),
    seeds,
)
def test_transposed_convolution(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    in_shape: tuple[int, int, int],
    out_shape: tuple[int, int, int],
    zero_point: int,
    per_channel: bool,
    limits: tuple[int, int],
    in_layout: str,
    out_layout: str,
    spacing: tuple[int, int],
    seed: int,
) -> None:
    """Every tap of every input pixel adds to the output pixel it falls on, if there is one."""
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    gap, margin = spacing
    x = int8s(rng, *in_shape)
    weights = int8s(rng, out_shape[2], *kernel, in_shape[2])
    bias = rng.integers(-(1 << 14), 1 << 14, out_shape[2], dtype=np.int32)
    source = scene.holding(x, gap=gap, margin=margin, layout=in_layout, first_row=seed % 3)
    output = scene.image(out_shape, gap=margin, margin=gap, layout=out_layout, first_row=seed % 2)
    fields, multipliers, shifts = requantization(scene, rng, out_shape[2], per_channel, *limits, weights[0].size)
    fields |= {"input_zero_point": zero_point, "bias_offset": scene.constant(bias)}
    fields |= {"weights_offset": scene.constant(weights)}
    for name, pair in (("kernel", kernel), ("stride", stride), ("pad", pad)):
        fields |= {f"{name}_{axis}": value for axis, value in zip(("rows", "columns"), pair, strict=True)}
    sums = np.broadcast_to(bias.astype(np.int64), out_shape).copy()
    for i, j, k, t in np.ndindex(*in_shape[:2], *kernel):
        row, column = i * stride[0] - pad[0] + k, j * stride[1] - pad[1] + t
        if 0 <= row < out_shape[0] and 0 <= column < out_shape[1]:
            sums[row, column] += weights[:, k, t].astype(np.int64) @ (x[i, j].astype(np.int64) - zero_point)
    expected = to_int8(sums, fields, multipliers, shifts)
    assert np.array_equal(scene.run(OpKind.TRANSPOSE_CONV, fields, output, source), expected)


@examples
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    layouts,
    st.integers(0, 2),
    seeds,
)
def test_resizing_picks_the_mapped_pixels(
    shape: tuple[int, int, int], out_shape: tuple[int, int], layout: str, gap: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    x = int8s(rng, *shape)
    rows, columns = (rng.integers(0, n, m).astype(np.uint16) for n, m in zip(shape, out_shape, strict=False))
    source = scene.holding(x, gap=gap, layout=layout)
    output = scene.image((*out_shape, shape[2]), margin=gap, layout=layout)
    params = {"row_map_offset": scene.constant(rows), "column_map_offset": scene.constant(columns)}
    assert np.array_equal(scene.run(OpKind.RESIZE_NEAREST, params, output, source), x[rows][:, columns])


@examples
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5)),
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)),
    st.integers(-128, 127),
    layouts,
    st.integers(0, 2),
    seeds,
)
def test_pad(
    shape: tuple[int, int, int],
    before: tuple[int, int, int],
    after: tuple[int, int, int],
    value: int,
    layout: str,
    gap: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    x = int8s(rng, *shape)
    expected = np.pad(x, list(zip(before, after, strict=True)), constant_values=value)
    source, output = scene.holding(x, gap=gap, layout=layout), scene.image(expected.shape, margin=gap, layout=layout)
    params = {"value": value, **dict(zip(("pad_rows", "pad_columns", "pad_channels"), before, strict=True))}
    assert np.array_equal(scene.run(OpKind.PAD, params, output, source), expected)


def test_a_copy_carries_floats() -> None:
    rng = np.random.default_rng(8)
    scene = Scene(rng)
    x = rng.normal(size=(2, 3, 4)).astype(np.float32)
    source, output = scene.holding(x), scene.image(x.shape, dtype="float32", gap=1)
    params = {"pad_rows": 0, "pad_columns": 0, "pad_channels": 0, "value": 0}
    assert np.array_equal(scene.run(OpKind.PAD, params, output, source), x)


@examples
@given(
    st.sampled_from(MeanMode),
    st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 40)),
    st.integers(-128, 127),
    layouts,
    st.integers(0, 2),
    seeds,
)
def test_sum_fed_row_by_row(
    mode: MeanMode, shape: tuple[int, int, int], zero_point: int, layout: str, gap: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    x = int8s(rng, *shape)
    source, output = scene.holding(x, gap=gap, layout=layout), scene.image((1, 1, shape[2]), layout=layout)
    accumulator = scene.image((1, 1, shape[2]), dtype="int32")
    count = shape[0] * shape[1]
    multiplier, shift = int(rng.integers(1 << 30, 1 << 31)), -int(count - 1).bit_length()
    params = {"mode": int(mode), "count": count, "bias": zero_point * count, "multiplier": multiplier, "shift": shift}
    params |= {"output_zero_point": -5, "output_min": -100, "output_max": 90}
    sums = x.astype(np.int64).sum((0, 1))
    if mode is MeanMode.MEAN:
        expected = requantize(sums - zero_point * count, multiplier, shift) - 5
    elif mode is MeanMode.MAXIMUM:
        expected = x.max((0, 1))
    else:
        magnitude = (np.abs(sums) + count // 2) // count
        expected = np.where(sums > 0, magnitude, -magnitude)
    result = scene.run(OpKind.SUM_FEED, params, output, source, accumulator=accumulator)
    assert np.array_equal(result[0, 0], np.clip(expected, -100, 90))


@examples
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 8)),
    st.integers(1, 12),
    st.integers(-128, 127),
    st.booleans(),
    layouts,
    st.integers(0, 2),
    seeds,
)
def test_dense_fed_row_by_row(
    shape: tuple[int, int, int],
    outputs: int,
    zero_point: int,
    per_channel: bool,
    layout: str,
    gap: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng)
    x, weights = int8s(rng, *shape), int8s(rng, outputs, int(np.prod(shape)))
    bias = rng.integers(-(1 << 14), 1 << 14, outputs, dtype=np.int32)
    source, output = scene.holding(x, gap=gap, layout=layout), scene.image((1, 1, outputs), layout=layout)
    accumulator = scene.image((1, 1, outputs), dtype="int32")
    fields, multipliers, shifts = requantization(scene, rng, outputs, per_channel, -128, 127, weights[0].size)
    params = {**fields, **weighted(scene, weights, 1, bias, zero_point)}
    sums = weights.astype(np.int64) @ (x.astype(np.int64).ravel() - zero_point) + bias
    result = scene.run(OpKind.DENSE_FEED, params, output, source, accumulator=accumulator)
    assert np.array_equal(result[0, 0], to_int8(sums, fields, multipliers, shifts))


@pytest.mark.parametrize("kind", [OpKind.DEPTHWISE, OpKind.AVERAGE_POOL, OpKind.MAX_POOL])
def test_a_channel_wise_window_of_one_column_may_write_a_row_it_reads(kind: OpKind) -> None:
    """The output row takes the place of the oldest of the three rows of its window."""
    rng = np.random.default_rng(int(kind))
    scene = Scene(rng)
    x, weights = int8s(rng, 3, 4, 40), int8s(rng, 3, 1, 40)
    source = scene.holding(x)
    view = scene.views[source.view]
    scene.views.append(type(view)(view.storage, 0, 1, 4, 40, view.pixel_stride_bytes))
    output = Image(len(scene.views) - 1, source.places[:1], "int8")
    fields, multipliers, shifts = requantization(scene, rng, 40, True, -128, 127, 3)
    params = {**window_of(kernel_rows=3), **fields, **weighted(scene, weights, (0, 1), 0, 0), "groups": 1}
    values = x.astype(np.int64)
    if kind is OpKind.DEPTHWISE:
        expected = to_int8((values * weights).sum(0), fields, multipliers, shifts)
    elif kind is OpKind.AVERAGE_POOL:
        sums = values.sum(0)
        expected = np.where(sums > 0, (np.abs(sums) + 1) // 3, -((np.abs(sums) + 1) // 3))
    else:
        expected = values.max(0)
    assert np.array_equal(scene.run(kind, params, output, source)[0], expected)
