"""The program oracle: each kind of op computes the same as its operator, wherever its rows lie.

The C executor does, too: each program of these tests runs in both.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import runtime_scene
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_programs import int32s, small_network

from tflm_split import kinds
from tflm_split.arithmetic.requantize import (
    binary_parameters,
    reduce_max_parameters,
)
from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Operator, Quantization, Tensor
from tflm_split.kinds import BinaryMode, MeanMode, OpKind, WeightFlags
from tflm_split.program.check import check_program
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.types import Io, Op, Program, Step, Storage, View
from tflm_split.split.operators.resize import between
from tflm_split.verify import fixed_point as fp
from tflm_split.verify.graph_oracle import run_graph_outputs
from tflm_split.verify.oracle import UNWRITTEN, run_program

Array = np.ndarray[Any, Any]


# A program of one op, and a graph of one operator, to compare.


def run_op(
    kind: OpKind,
    operands: Sequence[Array],
    out_shape: tuple[int, int, int],
    params: Mapping[str, int | float | bytes],
    out_element_bytes: int = 1,
) -> bytes:
    """The output of one op on operands [rows, columns, channels]. A parameter given as bytes becomes a constant.

    Storages follow each other, 4-aligned. All other bytes start as `UNWRITTEN`.
    """
    storages: list[Storage] = []
    views: list[View] = []
    end = 0

    def place(shape: Sequence[int], element: int) -> Io:
        nonlocal end
        rows, columns, channels = shape
        row_bytes = columns * channels * element
        start = end + -end % 4
        end = start + rows * row_bytes
        storages.append(Storage(row_bytes, rows, tuple(start + r * row_bytes for r in range(rows))))
        views.append(View(len(storages) - 1, 0, rows, columns, channels, channels * element, 0, element))
        return Io(start, rows * row_bytes)

    inputs = [place(x.shape, x.itemsize) for x in operands]
    output = place(out_shape, out_element_bytes)
    feeds = kind in (OpKind.SUM_FEED, OpKind.DENSE_FEED)
    if feeds:
        place(out_shape, 4)
    constants = [value for value in params.values() if isinstance(value, bytes)]
    filled: dict[str, int | float] = {f.name: 0 for f in kinds.of(kind).record.fields}
    filled |= {"output_min": -128, "output_max": 127} if "output_min" in filled else {}
    for name, value in params.items():
        filled[name] = constants.index(value) if isinstance(value, bytes) else value
    op = Op(
        kind,
        output=len(operands),
        input=0,
        params=filled,
        input2=1 if len(operands) == 2 else None,
        accumulator=len(operands) + 1 if feeds else None,
    )
    steps = tuple(Step(0, row) for row in range(operands[0].shape[0] if feeds else out_shape[0]))
    program = Program(end, tuple(inputs), (output,), tuple(storages), tuple(views), (op,), steps, tuple(constants))
    check_program(program)
    result = run_program(program, operands)[0]
    assert run_in_executor(program, operands) == [result], "the C executor computes something else"
    return result


def run_in_executor(program: Program, operands: Sequence[Array]) -> list[bytes]:
    """The same program in the C executor, on the same workspace."""
    workspace = bytearray([UNWRITTEN] * program.workspace_bytes)
    for io, x in zip(program.inputs, operands, strict=True):
        workspace[io.address : io.address + io.bytes] = np.ascontiguousarray(x).tobytes()
    after = runtime_scene.execute(encode(program), bytes(workspace))
    return [after[io.address : io.address + io.bytes] for io in program.outputs]


def run_operator(
    kind: str,
    operands: Sequence[tuple[Array, float, int]],
    output: tuple[tuple[int, ...], float, int],
    options: Mapping[str, Any] | None = None,
    constants: Sequence[Array] = (),
    weight_scales: Sequence[float] = (),
    out_dtype: str = "INT8",
) -> bytes:
    """One operator by the graph oracle: operands (value, scale, zero point), output (shape, scale, zero point)."""
    tensors: list[Tensor] = []
    for value, scale, zero_point in operands:
        q = Quantization((scale,), (zero_point,))
        tensors.append(Tensor(len(tensors), "x", value.shape, value.dtype.name.upper(), q))
    inputs = tuple(range(len(tensors)))
    for i, value in enumerate(constants):
        q = Quantization(tuple(weight_scales), (0,) * len(weight_scales), 3 if kind.startswith("DEPTH") else 0)
        weights = q if i == 0 and weight_scales else None
        tensors.append(Tensor(len(tensors), "c", value.shape, value.dtype.name.upper(), weights, value.tobytes()))
    shape, scale, zero_point = output
    tensors.append(Tensor(len(tensors), "y", shape, out_dtype, Quantization((scale,), (zero_point,))))
    last = len(tensors) - 1
    op = Operator(0, kind, tuple(range(last)), (last,), options or {})
    graph = Graph("one", tuple(tensors), (op,), inputs, (last,)).checked()
    return run_graph_outputs(graph, [value for value, _, _ in operands])[0].tobytes()


def int8s(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(-128, 128, shape).astype(np.int8)


def requantization(
    weights_by_channel: Array, bias: Array, in_scale: float, in_zero: int, scales: Sequence[float], out_scale: float
) -> dict[str, int | bytes]:
    """The parameters of `_REQUANTIZE` for weights [out, ...], as the format describes them."""
    s_in, s_out = float(np.float32(in_scale)), float(np.float32(out_scale))
    pairs = [fp.quantize_multiplier(s_in * float(np.float32(s)) / s_out) for s in scales]
    flat = weights_by_channel.reshape(len(weights_by_channel), -1).astype(np.int64)
    return {
        "input_zero_point": in_zero,
        "bias_offset": (bias - in_zero * flat.sum(axis=1)).astype(np.int32).tobytes(),
        "multipliers_offset": int32s(*(m for m, _ in pairs)),
        "shifts_offset": struct.pack(f"{len(pairs)}b", *(s for _, s in pairs)),
        "flags": int(WeightFlags.PER_CHANNEL) if len(pairs) > 1 else 0,
    }


Window = Mapping[str, tuple[int, int]]


@st.composite
def windows(draw: st.DrawFn, dilated: bool = True) -> Window:
    """(rows, columns) of a window and of maps that it fits. Each window has a tap inside its input."""
    axes: list[dict[str, int]] = []
    for _ in range(2):
        kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 3)) if dilated else 1
        reach = (kernel - 1) * dilation + 1
        pad = draw(st.integers(0, reach - 1))
        size = max(1, reach - pad) + draw(st.integers(0, 6))
        out = (size + pad - reach) // stride + 1
        axes.append({"kernel": kernel, "stride": stride, "dilation": dilation, "pad": pad, "size": size, "out": out})
    return {name: (axes[0][name], axes[1][name]) for name in axes[0]}


def window_params(w: Window) -> dict[str, int]:
    names = ("kernel", "stride", "dilation", "pad")
    return {f"{n}_{axis}": w[n][i] for n in names for i, axis in enumerate(("rows", "columns"))}


def window_options(w: Window) -> dict[str, Any]:
    return {
        "padding": "EXPLICIT",
        "pad_top": w["pad"][0],
        "pad_left": w["pad"][1],
        "stride_h": w["stride"][0],
        "stride_w": w["stride"][1],
        "dilation_h_factor": w["dilation"][0],
        "dilation_w_factor": w["dilation"][1],
    }


@settings(deadline=None, max_examples=60)
@given(windows(), st.data())
def test_conv_and_depthwise_are_the_convolutions_they_stand_for(w: Window, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    depthwise = data.draw(st.booleans())
    groups = data.draw(st.integers(1, 3))
    if depthwise:  # the field `groups` is the depth multiplier
        channels = data.draw(st.integers(1, 4))
        out_channels, filter_shape = channels * groups, (1, *w["kernel"], channels * groups)
    else:
        depth = data.draw(st.integers(1, 4))
        channels, out_channels = groups * depth, groups * data.draw(st.integers(1, 3))
        filter_shape = (out_channels, *w["kernel"], depth)
    x, weights = int8s(rng, *w["size"], channels), int8s(rng, *filter_shape)
    bias = rng.integers(-5000, 5000, out_channels)
    scales = rng.uniform(0.002, 0.02, out_channels if data.draw(st.booleans()) else 1).tolist()
    by_channel = weights[0].transpose(2, 0, 1) if depthwise else weights
    params = {
        **window_params(w),
        **requantization(by_channel, bias, 0.05, -11, scales, 0.3),
        "output_zero_point": 6,
        "output_min": -100,
        "weights_offset": weights.tobytes(),
        "groups": groups,
    }
    kind = OpKind.DEPTHWISE if depthwise else OpKind.CONV
    expected = run_operator(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        [(x[None], 0.05, -11)],
        ((1, *w["out"], out_channels), 0.3, 6),
        window_options(w),
        [weights, bias.astype(np.int32)],
        scales,
    )
    expected = np.maximum(np.frombuffer(expected, np.int8), -100).tobytes()
    assert run_op(kind, [x], (*w["out"], out_channels), params) == expected


@settings(deadline=None, max_examples=40)
@given(windows(dilated=False), st.sampled_from([OpKind.AVERAGE_POOL, OpKind.MAX_POOL]))
def test_pools(w: Window, kind: OpKind) -> None:
    x = int8s(np.random.default_rng(0), *w["size"], 3)
    options = {**window_options(w), "filter_height": w["kernel"][0], "filter_width": w["kernel"][1]}
    expected = run_operator(kind.name + "_2D", [(x[None], 0.1, 4)], ((1, *w["out"], 3), 0.1, 4), options)
    assert run_op(kind, [x], (*w["out"], 3), window_params(w)) == expected


@pytest.mark.parametrize("kind", [OpKind.ADD, OpKind.SUB, OpKind.MUL])
@pytest.mark.parametrize("second", [(3, 4, 5), (1, 1, 5), (3, 4, 1), (3, 1, 1), (1, 4, 5)])
def test_arithmetic_broadcasts_rows_columns_and_channels(kind: OpKind, second: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(2)
    a, b = int8s(rng, 3, 4, 5), int8s(rng, *second)
    s1, s2, so = (float(np.float32(s)) for s in (0.04, 0.07, 0.09 if kind is not OpKind.MUL else 0.3))
    params: dict[str, int | float | bytes] = {"zero_point1": 3, "zero_point2": -8, "output_zero_point": 5}
    if kind is OpKind.MUL:
        ratios = [("output_", s1 * s2 / so)]
    else:
        twice = 2 * max(s1, s2)
        ratios = [("1", s1 / twice), ("2", s2 / twice), ("output_", twice / ((1 << 20) * so))]
        params["left_shift"] = 20
    for name, real in ratios:
        prefix, suffix = (name, "") if name == "output_" else ("", name)
        params[f"{prefix}multiplier{suffix}"], params[f"{prefix}shift{suffix}"] = fp.quantize_multiplier(real)
    expected = run_operator(kind.name, [(a[None], s1, 3), (b[None], s2, -8)], ((1, 3, 4, 5), so, 5))
    assert run_op(kind, [a, b], (3, 4, 5), params) == expected


@pytest.mark.parametrize("kind", [OpKind.MINIMUM, OpKind.MAXIMUM, OpKind.SQUARED_DIFFERENCE, OpKind.PRELU])
@pytest.mark.parametrize("second", [(3, 4, 5), (1, 1, 5), (3, 4, 1), (3, 1, 1), (1, 4, 5)])
def test_other_operators_of_two_operands_broadcast_too(kind: OpKind, second: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(2)
    a, b = int8s(rng, 3, 4, 5), int8s(rng, *second)
    scales = [float(np.float32(s)) for s in (0.04, 0.07, 0.09)]
    quantizations = [Quantization((s,), (z,)) for s, z in zip(scales, (3, -8, -70), strict=True)]
    params = binary_parameters(kind.name, quantizations[0], quantizations[1], quantizations[2], "NONE")
    expected = run_operator(
        kind.name, [(a[None], scales[0], 3), (b[None], scales[1], -8)], ((1, 3, 4, 5), scales[2], -70)
    )
    assert run_op(kind, [a, b], (3, 4, 5), params) == expected


@pytest.mark.parametrize(("align", "centers"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("out", [(7, 9), (2, 3), (4, 5)])
def test_resizing_mixes_four_pixels(align: bool, centers: bool, out: tuple[int, int]) -> None:
    x = int8s(np.random.default_rng(3), 4, 5, 3)
    rows, columns = (between(n, m, align, centers) for n, m in zip((4, 5), out, strict=True))
    params = {
        "row_positions_offset": np.array(rows, np.uint32).tobytes(),
        "column_positions_offset": np.array(columns, np.uint32).tobytes(),
    }
    options = {"align_corners": align, "half_pixel_centers": centers}
    size = np.array(out, np.int32)
    expected = run_operator("RESIZE_BILINEAR", [(x[None], 0.1, 0)], ((1, *out, 3), 0.1, 0), options, [size])
    assert run_op(OpKind.RESIZE_BILINEAR, [x], (*out, 3), params) == expected


def test_an_index_picks_a_row_of_its_table_and_stays_inside_it() -> None:
    table = int8s(np.random.default_rng(4), 6, 5)
    indices = np.array([3, 0, 5, -1, 6, 2**31 - 1, -(2**31)], np.int32)
    found = run_op(
        OpKind.GATHER, [indices.reshape(-1, 1, 1)], (7, 1, 5), {"table_offset": table.tobytes(), "entry_count": 6}
    )
    assert found == table[[3, 0, 5, 0, 5, 5, 0]].tobytes()


@pytest.mark.parametrize("block", [1, 2, 3])
def test_depth_becomes_space(block: int) -> None:
    x = int8s(np.random.default_rng(5), 2, 3, 2 * block**2)
    shape = (2 * block, 3 * block, 2)
    expected = run_operator("DEPTH_TO_SPACE", [(x[None], 0.1, 0)], ((1, *shape), 0.1, 0), {"block_size": block})
    assert run_op(OpKind.DEPTH_TO_SPACE, [x], shape, {"block": block}) == expected


def test_the_largest_of_each_channel_fed_row_by_row() -> None:
    x = int8s(np.random.default_rng(7), 4, 5, 7) // 2 - 60
    found = run_op(OpKind.SUM_FEED, [x.astype(np.int8)], (1, 1, 7), reduce_max_parameters(20))
    assert found == x.max(axis=(0, 1)).astype(np.int8).tobytes()


def test_a_table_of_bytes_is_any_function_of_one_byte() -> None:
    every = np.arange(-128, 128, dtype=np.int8)
    by_value = run_operator("HARD_SWISH", [(every, 0.05, 3)], ((256,), 0.04, -9))
    table = np.roll(np.frombuffer(by_value, np.int8), 128).tobytes()  # entry i is for the byte i, 0 first
    x = every.reshape(4, 8, 8)
    assert run_op(OpKind.LUT, [x], (4, 8, 8), {"table_offset": table}) == by_value


def test_a_table_of_words_dequantises() -> None:
    every = np.arange(-128, 128, dtype=np.int8)
    by_value = run_operator("DEQUANTIZE", [(every, 0.05, 3)], ((256,), 1.0, 0), out_dtype="FLOAT32")
    table = np.roll(np.frombuffer(by_value, np.float32), 128).tobytes()
    assert run_op(OpKind.LUT, [every.reshape(4, 8, 8)], (4, 8, 8), {"table_offset": table}, 4) == by_value


def test_quantising_floats_rounds_halves_away_from_zero_and_saturates() -> None:
    x = np.array([0.25, -0.25, 0.75, -0.75, 0.249, 1e9, -1e9, 63.4], np.float32).reshape(2, 2, 2)
    params = {"scale": 0.5, "zero_point": -1, "output_min": -128, "output_max": 127}
    result = np.frombuffer(run_op(OpKind.QUANTIZE_FLOAT, [x], (2, 2, 2), params), np.int8)
    assert result.tolist() == [0, -2, 1, -3, -1, 127, -128, 126]


def test_floats_without_an_integer_saturate_and_nan_is_zero() -> None:
    """As in the kernel (`test_runtime_kernels.py`). 3e38 / 0.5 is too large for a float32."""
    x = np.array([np.inf, -np.inf, 3e38, -3e38, 2.0**31, -(2.0**31), np.nan, 0.0], np.float32).reshape(2, 2, 2)
    params = {"scale": 0.5, "zero_point": -3, "output_min": -128, "output_max": 127}
    result = np.frombuffer(run_op(OpKind.QUANTIZE_FLOAT, [x], (2, 2, 2), params), np.int8)
    assert result.tolist() == [127, -128, 127, -128, 127, -128, -3, -3]


def test_floats_beyond_their_range_become_infinities_and_nan() -> None:
    a = np.array([3e38, np.inf, 1, 2], np.float32).reshape(1, 2, 2)
    b = np.array([3e38, -np.inf, np.nan, 3], np.float32).reshape(1, 2, 2)
    params = {"mode": BinaryMode.ADD, "output_min": -np.inf, "output_max": np.inf}
    result = np.frombuffer(run_op(OpKind.BINARY_FLOAT, [a, b], (1, 2, 2), params, 4), np.float32)
    assert result.tolist() == pytest.approx([np.inf, np.nan, np.nan, 5], nan_ok=True)


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.8])
def test_softmax_by_its_table_of_exponentials(scale: float) -> None:
    x = int8s(np.random.default_rng(4), 3, 5, 12)
    multiplier, shift = fp.quantize_multiplier(min(float(np.float32(scale)) * (1 << 26), 2.0**31 - 1))
    count = min(256, fp.input_radius(5, shift) + 1)
    exps = fp.exp_on_negative_values(fp.multiply(-np.arange(count), multiplier, shift), 5)
    params = {"exps_offset": exps.astype(np.int32).tobytes(), "exp_count": count}
    expected = run_operator("SOFTMAX", [(x[None], scale, 9)], ((1, 3, 5, 12), 1 / 256, -128), {"beta": 1.0})
    assert run_op(OpKind.SOFTMAX, [x], (3, 5, 12), params) == expected


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    st.sampled_from(["SAME", "VALID"]),
    st.integers(0, 2**16),
)
def test_a_transposed_convolution_gathers_what_the_operator_scatters(
    kernel: tuple[int, int], stride: tuple[int, int], size: tuple[int, int], padding: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    same = padding == "SAME"
    out = [n * s if same else (n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True)]
    pads = [max(0, k - s) // 2 if same else 0 for k, s in zip(kernel, stride, strict=True)]
    x, weights = int8s(rng, *size, 3), int8s(rng, 5, *kernel, 3)
    bias = rng.integers(-3000, 3000, 5).astype(np.int32)
    scales = rng.uniform(0.001, 0.02, 5).tolist()
    tensors = (
        Tensor(0, "shape", (4,), "INT32", None, np.array([1, *out, 5], np.int32).tobytes()),
        Tensor(1, "w", weights.shape, "INT8", Quantization(tuple(scales), (0,) * 5, 0), weights.tobytes()),
        Tensor(2, "x", (1, *size, 3), "INT8", Quantization((0.05,), (-11,))),
        Tensor(3, "b", (5,), "INT32", None, bias.tobytes()),
        Tensor(4, "y", (1, *out, 5), "INT8", Quantization((0.2,), (7,))),
    )
    options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1]}
    operator = Operator(0, "TRANSPOSE_CONV", (0, 1, 2, 3), (4,), options)
    expected = run_graph_outputs(Graph("one", tensors, (operator,), (2,), (4,)).checked(), [x])[0].tobytes()
    params = requantization(weights, bias, 0.05, -11, scales, 0.2) | {
        "bias_offset": bias.tobytes(),
        "weights_offset": weights.tobytes(),
        "output_zero_point": 7,
    }
    for name, pair in (("kernel", kernel), ("stride", stride), ("pad", pads)):
        params |= {f"{name}_rows": pair[0], f"{name}_columns": pair[1]}
    assert run_op(OpKind.TRANSPOSE_CONV, [x], (out[0], out[1], 5), params) == expected


def test_resizing_repeats_and_skips_rows_and_columns() -> None:
    x = int8s(np.random.default_rng(5), 3, 4, 2)
    rows, columns = np.array([0, 0, 2, 2], np.uint16), np.array([3, 1, 1], np.uint16)
    params = {"row_map_offset": rows.tobytes(), "column_map_offset": columns.tobytes()}
    assert run_op(OpKind.RESIZE_NEAREST, [x], (4, 3, 2), params) == x[rows][:, columns].tobytes()


def test_pad_surrounds_its_input() -> None:
    x = int8s(np.random.default_rng(5), 2, 3, 2)
    params = {"pad_rows": 1, "pad_columns": 0, "pad_channels": 2, "value": -7}
    expected = np.pad(x, ((1, 2), (0, 1), (2, 0)), constant_values=-7).tobytes()
    assert run_op(OpKind.PAD, [x], (5, 4, 4), params) == expected


def test_sums_fed_row_by_row_are_mean() -> None:
    x = int8s(np.random.default_rng(6), 6, 7, 5)
    multiplier, shift = fp.quantize_multiplier(float(np.float32(0.05)) / float(np.float32(0.011)))
    extra = min((6 * 7).bit_length() - 1, 31 + shift)
    params = {
        "mode": int(MeanMode.MEAN),
        "count": 42,
        "bias": 3 * 42,
        "multiplier": (multiplier << extra) // 42,
        "shift": shift - extra,
        "output_zero_point": -20,
    }
    axes = np.array([1, 2], np.int32)
    expected = run_operator("MEAN", [(x[None], 0.05, 3)], ((1, 5), 0.011, -20), {}, [axes])
    assert run_op(OpKind.SUM_FEED, [x], (1, 1, 5), params) == expected


def test_sums_fed_row_by_row_are_a_global_average_pool() -> None:
    x = int8s(np.random.default_rng(7), 6, 7, 50)
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "filter_height": 6, "filter_width": 7}
    expected = run_operator("AVERAGE_POOL_2D", [(x[None], 0.05, 3)], ((1, 1, 1, 50), 0.05, 3), options)
    params = {"mode": int(MeanMode.AVERAGE_POOL), "count": 42}
    assert run_op(OpKind.SUM_FEED, [x], (1, 1, 50), params) == expected


@pytest.mark.parametrize("channels", [1, 6])
def test_a_dense_layer_fed_row_by_row_is_fully_connected(channels: int) -> None:
    rng = np.random.default_rng(8)
    x, weights = int8s(rng, 3, 4, 5), int8s(rng, 6, 60)
    bias = rng.integers(-5000, 5000, 6)
    scales = rng.uniform(0.002, 0.02, channels).tolist() if channels > 1 else [1 / 128]
    in_scale = 1 / 16  # a product of powers of two is the same in float as in double
    params = {
        **requantization(weights, bias, in_scale, -11, scales, 0.9),
        "output_zero_point": 6,
        "weights_offset": weights.tobytes(),
    }
    expected = run_operator(
        "FULLY_CONNECTED",
        [(x.reshape(1, 60), in_scale, -11)],
        ((1, 6), 0.9, 6),
        {},
        [weights, bias.astype(np.int32)],
        scales,
    )
    assert run_op(OpKind.DENSE_FEED, [x], (1, 1, 6), params) == expected


# Where rows lie.


def test_the_answer_does_not_depend_on_the_layout() -> None:
    x = int8s(np.random.default_rng(9), 8, 4, 2)
    roomy = replace(small_network(ring=8), workspace_bytes=80 + 8 * 8)
    assert run_program(small_network(), [x]) == run_program(roomy, [x])


def test_the_executor_runs_the_small_network_alike() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        x = int8s(rng, 8, 4, 2)
        assert run_in_executor(small_network(), [x]) == run_program(small_network(), [x])


def test_a_ring_that_is_too_short_gives_another_answer() -> None:
    x = int8s(np.random.default_rng(9), 8, 4, 2)
    assert run_program(small_network(ring=1), [x]) != run_program(small_network(), [x])


def test_what_was_encoded_and_decoded_computes_the_same() -> None:
    x = int8s(np.random.default_rng(10), 8, 4, 2)
    assert run_program(decode(encode(small_network())), [x.tobytes()]) == run_program(small_network(), [x])


def test_views_select_rows_columns_and_channels_and_leave_the_rest_alone() -> None:
    """Rows 1..3 of a constant [4, 2, 3], channels 1..3, go to channels 0..2 of an output with pixels of 4 bytes."""
    held = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    program = Program(
        workspace_bytes=16,
        inputs=(),
        outputs=(Io(0, 16),),
        storages=(Storage(6, 4, (), 0), Storage(8, 2, (8, 0))),
        views=(View(0, 1, 2, 2, 2, 3, 1), View(1, 0, 2, 2, 2, 4)),
        ops=(Op(OpKind.LUT, 1, 0, {"table_offset": 1}),),
        steps=(Step(0, 0), Step(0, 1)),
        constants=(held.tobytes(), bytes(range(256))),
    )
    check_program(program)
    result = np.frombuffer(run_program(program, [])[0], np.uint8).reshape(2, 2, 4)
    assert (result[1, :, :2] == held[1, :, 1:]).all() and (result[0, :, :2] == held[2, :, 1:]).all()
    assert (result[:, :, 2:] == UNWRITTEN).all()


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="takes 1 inputs, and 0 were given"):
        run_program(small_network(), [])
    with pytest.raises(InputError, match="input 0 of the program has 64 bytes, and 3 were given"):
        run_program(small_network(), [b"abc"])


# The fixed-point rules, on the values where they differ from what one would expect.


def test_doubling_high_multiplication_rounds_halves_up_and_saturates_once() -> None:
    assert fp.high_mul([3, -3, -(2**31)], [1 << 30, 1 << 30, -(2**31)]).tolist() == [2, -1, 2**31 - 1]


def test_shifting_right_rounds_halves_away_from_zero() -> None:
    assert fp.rounding_shift_right([5, -5, 6, -6, 7, -7], 2).tolist() == [1, -1, 2, -2, 2, -2]


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 30, 1)),
        (0.75, (3 << 29, 0)),
        (1 - 2.0**-40, (1 << 30, 1)),
        (2.0**-33, (0, 0)),
        (2.0**-32, (1 << 30, -31)),
    ],
)
def test_a_multiplier_is_a_31_bit_fraction_and_a_shift(real: float, expected: tuple[int, int]) -> None:
    assert fp.quantize_multiplier(real) == expected


def test_left_shifts_wrap_like_int32() -> None:
    assert int(fp.multiply(1 << 30, 1 << 30, 2)) == 0
    assert int(fp.multiply((1 << 30) + 2, 1 << 30, 2)) == 4


@settings(deadline=None, max_examples=50)
@given(st.floats(-15.9, 15.9))
def test_logistic_and_tanh_are_close_to_the_real_functions(x: float) -> None:
    raw = int(x * 2**27)
    assert abs(int(fp.logistic(raw)) / 2**31 - 1 / (1 + np.exp(-x))) < 1e-6
    assert abs(int(fp.tanh(raw)) / 2**31 - np.tanh(x)) < 1e-6
