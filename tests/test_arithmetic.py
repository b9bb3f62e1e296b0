"""What is pre-computed equals what TFLM's reference kernels compute, bit for bit."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_models import T, conv_model, single_op

from tflm_split.arithmetic import gemmlowp
from tflm_split.arithmetic.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    quantize_multiplier_smaller_than_one,
    round_half_away,
    rounding_divide_by_pot,
    rounding_divide_by_pot_array,
    saturating_rounding_doubling_high_multiply,
    saturating_rounding_doubling_high_multiply_array,
)
from tflm_split.arithmetic.requantize import (
    activation_range,
    add_parameters,
    conv_requantization,
    dense_requantization,
    mean_parameters,
    mul_parameters,
    sum_parameters,
)
from tflm_split.arithmetic.softmax import check_softmax_output, softmax_parameters
from tflm_split.arithmetic.tables import binary_lut, lut
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Quantization
from tflm_split.kinds.binary import BINARY_PARAMS
from tflm_split.kinds.feeds import SUM_PARAMS
from tflm_split.tflite.reader import read_model
from tflm_split.verify.tflm import interpreter

Array = NDArray[Any]
ALL_INT8 = np.arange(256, dtype=np.uint8).view(np.int8)
int32s = st.integers(INT32_MIN, INT32_MAX)


def multiply_by_quantized_multiplier_array(
    value: NDArray[Any], q: NDArray[Any] | int, shift: NDArray[Any] | int
) -> NDArray[np.int64]:
    """`multiply_by_quantized_multiplier` element by element, `q` and `shift` broadcast; int32 values held in int64."""
    shifts = np.asarray(shift, np.int64)
    shifted = np.asarray(value, np.int64) << np.maximum(shifts, 0)
    wrapped = ((shifted + (1 << 31)) & ((1 << 32) - 1)) - (1 << 31)
    return rounding_divide_by_pot_array(
        saturating_rounding_doubling_high_multiply_array(wrapped, q), np.maximum(-shifts, 0)
    )


def in_tflm(model: bytes, *inputs: Array) -> Array:
    """The first output TFLM gives."""
    it = interpreter(model)
    for j, x in enumerate(inputs):
        it.set_input(x, j)
    it.invoke()
    found: Array = it.get_output(0)
    return found


def quantization(rng: np.random.Generator, low: float = 0.002, high: float = 0.2) -> Quantization:
    scale = float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high)))))
    return Quantization((scale,), (int(rng.integers(-128, 128)),))


def tensor(shape: tuple[int, ...], q: Quantization, dtype: str = "INT8", data: Array | None = None) -> T:
    return T(shape, dtype, q.scales[0], q.zero_points[0], data)


# --- fixed point -----------------------------------------------------------------------------------------------------


def test_a_multiplier_is_a_fraction_of_at_least_half_and_a_power_of_two() -> None:
    assert quantize_multiplier(1.0) == (1 << 30, 1)
    assert quantize_multiplier(0.5) == (1 << 30, 0)
    assert quantize_multiplier(0.75 / 256) == (3 << 29, -8)
    assert quantize_multiplier(0.0) == (0, 0)


def test_a_fraction_that_rounds_up_to_one_moves_into_the_shift() -> None:
    assert quantize_multiplier(1.0 - 2.0**-40) == (1 << 30, 1)


def test_a_multiplier_too_small_for_any_shift_is_zero() -> None:
    assert quantize_multiplier(2.0**-32) == (1 << 30, -31)
    assert quantize_multiplier(2.0**-33) == (0, 0)


@pytest.mark.parametrize("multiplier", [float("inf"), float("nan"), 2.0**31])
def test_a_multiplier_that_overflows_is_refused(multiplier: float) -> None:
    with pytest.raises(Refusal) as refused:
        quantize_multiplier(multiplier)
    assert refused.value.kind == "quantization"


@pytest.mark.parametrize("multiplier", [0.0, 1.0, 1.0 - 2.0**-40, 1.5])
def test_a_multiplier_tflm_would_abort_on_is_refused(multiplier: float) -> None:
    with pytest.raises(Refusal):
        quantize_multiplier_smaller_than_one(multiplier)


def test_halves_round_away_from_zero() -> None:
    assert [round_half_away(v) for v in (0.5, -0.5, 2.5, -2.5, 0.49999999999999994)] == [1, -1, 3, -3, 0]


@pytest.mark.parametrize(
    ("value", "exponent", "expected"), [(3, 1, 2), (-3, 1, -2), (-5, 2, -1), (6, 2, 2), (-6, 2, -2), (7, 0, 7)]
)
def test_division_by_a_power_of_two_rounds_halves_away_from_zero(value: int, exponent: int, expected: int) -> None:
    assert rounding_divide_by_pot(value, exponent) == expected


def test_the_one_product_that_overflows_saturates() -> None:
    assert saturating_rounding_doubling_high_multiply(INT32_MIN, INT32_MIN) == INT32_MAX


def test_rounding_twice_is_not_rounding_once() -> None:
    # Just under a half: the first step makes it 1 (of 2), the second rounds that half away from zero.
    assert multiply_by_quantized_multiplier(1, 0x7FFFFFFF, -1) == 1
    assert round_half_away(0x7FFFFFFF / (1 << 32)) == 0


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(int32s, int32s, st.integers(0, 31)), min_size=1, max_size=20))
def test_arrays_and_scalars_agree(rows: list[tuple[int, int, int]]) -> None:
    a, b, e = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    assert saturating_rounding_doubling_high_multiply_array(a, b).tolist() == [
        saturating_rounding_doubling_high_multiply(x, y) for x, y, _ in rows
    ]
    assert rounding_divide_by_pot_array(a, e).tolist() == [rounding_divide_by_pot(x, n) for x, _, n in rows]
    shifts = e - 20
    assert multiply_by_quantized_multiplier_array(a, b, shifts).tolist() == [
        multiply_by_quantized_multiplier(x, y, n - 20) for x, y, n in rows
    ]


@pytest.mark.parametrize("x", [-0.001, -0.2, -0.25, -0.3, -1.0, -5.5, -12.0])
def test_exp_is_exp(x: float) -> None:
    raw = gemmlowp.exp_on_negative_values(round(x * (1 << 27)), 4)
    assert raw / (1 << 31) == pytest.approx(np.exp(x), abs=1e-6)


@pytest.mark.parametrize("x", [-7.0, -1.0, -0.01, 0.0, 0.01, 1.0, 7.0])
def test_logistic_and_tanh_are_logistic_and_tanh(x: float) -> None:
    raw = round(x * (1 << 27))
    assert gemmlowp.logistic(raw, 4) / (1 << 31) == pytest.approx(1 / (1 + np.exp(-x)), abs=1e-6)
    assert gemmlowp.tanh(raw, 4) / (1 << 31) == pytest.approx(np.tanh(x), abs=1e-6)


# --- tables ----------------------------------------------------------------------------------------------------------


def assert_table_is_what_tflm_computes(
    kind: str, input: Quantization, output: Quantization, input_dtype: str, output_dtype: str, **options: Any
) -> None:
    """All 256 inputs through the table and through TFLM."""
    x = np.arange(256, dtype=np.uint8).view(np.int8 if input_dtype == "INT8" else np.uint8).reshape(1, 256)
    model = single_op(kind, [tensor((1, 256), input, input_dtype)], tensor((1, 256), output, output_dtype), **options)
    table = lut(kind, input, output, read_model(model).graph.operators[0].options, input_dtype, output_dtype)
    assert table == in_tflm(model, x).tobytes()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "kind", ["RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "ELU", "ABS", "QUANTIZE"]
)
def test_table_of_an_int8_operator(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    input, output = quantization(rng, 0.0005, 0.5), quantization(rng, 0.0005, 0.5)
    options: dict[str, Any] = {}
    if kind == "LOGISTIC":
        output = Quantization((1 / 256,), (-128,))
    elif kind == "TANH":
        output = Quantization((1 / 128,), (0,))
    elif kind == "HARD_SWISH":
        output = Quantization((max(output.scales[0], input.scales[0] / 64),), output.zero_points)
    elif kind == "LEAKY_RELU":
        options = {"alpha": float(np.float32(rng.uniform(-1.5, 1.5)))}
    assert_table_is_what_tflm_computes(kind, input, output, "INT8", "INT8", **options)


@pytest.mark.parametrize("kind", ["RELU", "ABS", "QUANTIZE", "LEAKY_RELU"])
def test_table_where_input_and_output_are_quantised_alike(kind: str) -> None:
    same = Quantization((float(np.float32(0.03)),), (-7,))
    options = {"alpha": 0.1} if kind == "LEAKY_RELU" else {}
    assert_table_is_what_tflm_computes(kind, same, same, "INT8", "INT8", **options)


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH"])
@pytest.mark.parametrize("scale", [1e-5, 0.05, 1.0, 20.0])
def test_table_of_a_function_at_extreme_scales(kind: str, scale: float) -> None:
    input = Quantization((float(np.float32(scale)),), (3,))
    output = Quantization((1 / 256,), (-128,)) if kind == "LOGISTIC" else Quantization((1 / 128,), (0,))
    assert_table_is_what_tflm_computes(kind, input, output, "INT8", "INT8")


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 0.02, 1.0, 30.0])
def test_table_of_hard_swish_at_extreme_scales(scale: float) -> None:
    single = float(np.float32(scale))
    assert_table_is_what_tflm_computes(
        "HARD_SWISH", Quantization((single,), (3,)), Quantization((single,), (-9,)), "INT8", "INT8"
    )


@pytest.mark.parametrize(("input_dtype", "output_dtype"), [("INT8", "UINT8"), ("UINT8", "INT8")])
@pytest.mark.parametrize("seed", range(4))
def test_table_of_a_requantisation_between_signed_and_unsigned(input_dtype: str, output_dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = quantization(rng), quantization(rng)
    signed = Quantization(second.scales, second.zero_points)
    unsigned = Quantization(first.scales, (first.zero_points[0] + 128,))
    pair = (signed, unsigned) if input_dtype == "INT8" else (unsigned, signed)
    assert_table_is_what_tflm_computes("QUANTIZE", *pair, input_dtype, output_dtype)
    # Equal scales and zero points 128 apart: TFLM only flips the sign bit.
    same = Quantization(unsigned.scales, (unsigned.zero_points[0] - 128,))
    pair = (same, unsigned) if input_dtype == "INT8" else (unsigned, same)
    assert_table_is_what_tflm_computes("QUANTIZE", *pair, input_dtype, output_dtype)


@pytest.mark.parametrize("dtype", ["INT8", "UINT8"])
def test_table_of_dequantize_holds_float32(dtype: str) -> None:
    q = quantization(np.random.default_rng(5))
    q = Quantization(q.scales, (q.zero_points[0] + (128 if dtype == "UINT8" else 0),))
    x = np.arange(256, dtype=np.uint8).view(np.int8 if dtype == "INT8" else np.uint8).reshape(1, 256)
    model = single_op("DEQUANTIZE", [tensor((1, 256), q, dtype)], T((1, 256), "FLOAT32"))
    table = lut("DEQUANTIZE", q, None, {}, dtype, "FLOAT32")
    assert len(table) == 1024
    assert table == in_tflm(model, x).tobytes()


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("constant_is_first", [False, True])
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_table_of_a_binary_operator_with_a_scalar(kind: str, constant_is_first: bool, activation: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        q1, q2 = quantization(rng, 0.01), quantization(rng, 0.01)
        output = quantization(rng, 0.01)
        constant = int(rng.integers(-128, 128))
        scalar = np.array([[constant]], np.int8)
        ts = [tensor((1, 256), q1), tensor((1, 1), q2, data=scalar)]
        if constant_is_first:
            ts = [tensor((1, 1), q1, data=scalar), tensor((1, 256), q2)]
        model = single_op(kind, ts, tensor((1, 256), output), fused_activation_function=activation)
        table = binary_lut(kind, q1, q2, output, activation, constant, constant_is_first)
        assert table == in_tflm(model, ALL_INT8.reshape(1, 256)).tobytes()


SOME = Quantization((0.1,), (0,))


@pytest.mark.parametrize(
    ("kind", "output", "options", "dtypes", "refusal"),
    [
        ("NEG", SOME, {}, ("INT8", "INT8"), "operator"),
        ("RELU_N1_TO_1", SOME, {}, ("INT8", "INT8"), "operator"),
        ("RELU", SOME, {}, ("INT16", "INT16"), "dtype"),
        ("QUANTIZE", SOME, {}, ("INT8", "INT16"), "dtype"),
        ("QUANTIZE", SOME, {}, ("UINT8", "UINT8"), "dtype"),
        ("DEQUANTIZE", None, {}, ("INT8", "FLOAT16"), "dtype"),
        ("DEQUANTIZE", None, {}, ("INT16", "FLOAT32"), "dtype"),
        ("RELU", None, {}, ("INT8", "INT8"), "quantization"),
        ("LOGISTIC", SOME, {}, ("INT8", "INT8"), "quantization"),
        ("HARD_SWISH", Quantization((1e-5,), (0,)), {}, ("INT8", "INT8"), "quantization"),
        ("LEAKY_RELU", SOME, {}, ("INT8", "INT8"), "options"),
    ],
)
def test_what_has_no_table_is_refused(
    kind: str, output: Quantization | None, options: dict[str, Any], dtypes: tuple[str, str], refusal: str
) -> None:
    with pytest.raises(Refusal) as refused:
        lut(kind, SOME, output, options, *dtypes)
    assert refused.value.kind == refusal


# --- limits and multipliers ------------------------------------------------------------------------------------------


def test_activation_limits() -> None:
    assert activation_range("NONE", 0.1, 3, "INT8") == (-128, 127)
    assert activation_range("RELU", 0.1, 3, "INT8") == (3, 127)
    assert activation_range("RELU6", 0.1, 3, "INT8") == (3, 63)
    assert activation_range("RELU6", 0.02, -128, "INT8") == (-128, 127)
    assert activation_range("RELU_N1_TO_1", 0.1, 3, "INT8") == (-7, 13)
    assert activation_range("RELU", 0.1, 3, "UINT8") == (3, 255)


@pytest.mark.parametrize(
    ("activation", "dtype", "kind"),
    [("TANH", "INT8", "activation"), ("5", "INT8", "activation"), ("NONE", "FLOAT32", "dtype")],
)
def test_an_unknown_activation_or_type_is_refused(activation: str, dtype: str, kind: str) -> None:
    with pytest.raises(Refusal) as refused:
        activation_range(activation, 0.1, 0, dtype)
    assert refused.value.kind == kind


def evaluate_binary(kind: str, f: dict[str, int], x: Array, y: Array) -> Array:
    """BINARY_PARAMS' formula in numpy."""
    first = x.astype(np.int64) - f["zero_point1"]
    second = y.astype(np.int64) - f["zero_point2"]
    if kind == "MUL":
        raw = first * second
    else:
        first = multiply_by_quantized_multiplier_array(first << f["left_shift"], f["multiplier1"], f["shift1"])
        second = multiply_by_quantized_multiplier_array(second << f["left_shift"], f["multiplier2"], f["shift2"])
        raw = first + second if kind == "ADD" else first - second
    out = multiply_by_quantized_multiplier_array(raw, f["output_multiplier"], f["output_shift"])
    return np.clip(out + f["output_zero_point"], f["output_min"], f["output_max"]).astype(np.int8)


@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_binary_parameters_for_every_pair_of_inputs(kind: str, activation: str) -> None:
    parameters = {"ADD": add_parameters, "SUB": add_parameters, "MUL": mul_parameters}[kind]
    x, y = (a.reshape(256, 256).copy() for a in np.broadcast_arrays(ALL_INT8[:, None], ALL_INT8[None, :]))
    for seed in range(6):
        rng = np.random.default_rng(seed)
        q1, q2, q = (quantization(rng, 0.01) for _ in range(3))
        model = single_op(
            kind,
            [tensor((256, 256), q1), tensor((256, 256), q2)],
            tensor((256, 256), q),
            fused_activation_function=activation,
        )
        fields = parameters(q1, q2, q, activation)
        assert fields.keys() == {f.name for f in BINARY_PARAMS.fields}
        BINARY_PARAMS.pack(**fields)
        np.testing.assert_array_equal(evaluate_binary(kind, fields, x, y), in_tflm(model, x, y))


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
@pytest.mark.parametrize("scales", [(0.05, 0.03, 0.06), (0.07, 0.05, 0.02), (0.25, 0.1, 0.2)])
def test_round_scales_meet_rounding_ties_where_only_double_multipliers_are_exact(
    kind: str, scales: tuple[float, float, float]
) -> None:
    x, y = (a.reshape(256, 256).copy() for a in np.broadcast_arrays(ALL_INT8[:, None], ALL_INT8[None, :]))
    q1, q2, q = (Quantization((float(np.float32(s)),), (0,)) for s in scales)
    model = single_op(
        kind,
        [tensor((256, 256), q1), tensor((256, 256), q2)],
        tensor((256, 256), q),
        fused_activation_function="NONE",
    )
    np.testing.assert_array_equal(evaluate_binary(kind, add_parameters(q1, q2, q, "NONE"), x, y), in_tflm(model, x, y))


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@pytest.mark.parametrize(("h", "w"), [(1, 1), (3, 3), (7, 5), (16, 16)])
def test_mean_and_sum_parameters(kind: str, h: int, w: int) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        q, out = quantization(rng, 0.005), quantization(rng, 0.005)
        x = rng.integers(-128, 128, (1, h, w, 40)).astype(np.int8)
        axes = T((2,), "INT32", data=np.array([1, 2], np.int32))
        model = single_op(kind, [tensor((1, h, w, 40), q), axes], tensor((1, 40), out), keep_dims=False)
        f = (mean_parameters if kind == "MEAN" else sum_parameters)(q, out, h * w)
        assert f.keys() == {field.name for field in SUM_PARAMS.fields}
        SUM_PARAMS.pack(**f)
        total = x.astype(np.int64).sum((1, 2)) - f["bias"]
        scaled = multiply_by_quantized_multiplier_array(total, f["multiplier"], f["shift"]) + f["output_zero_point"]
        np.testing.assert_array_equal(
            np.clip(scaled, f["output_min"], f["output_max"]).astype(np.int8), in_tflm(model, x)
        )


def weights_of(model: bytes) -> tuple[Array, Array, tuple[float, ...], Quantization, Quantization]:
    """(weights, bias, weight scales, input and output quantisation) of a one-operator model."""
    graph = read_model(model).graph
    x, w, b = graph.operands(graph.operators[0])
    output = graph.tensors[graph.outputs[0]]
    assert w.data is not None
    assert b.data is not None
    assert w.quantization
    assert x.quantization
    assert output.quantization
    weights = np.frombuffer(w.data, np.int8).reshape(w.shape).astype(np.int64)
    return weights, np.frombuffer(b.data, np.int32), w.quantization.scales, x.quantization, output.quantization


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_convolution_requantisation(per_channel: bool, activation: str) -> None:
    for seed in range(4):
        model = conv_model(20, 20, 8, 16, 1, 1, activation=activation, per_channel=per_channel, seed=seed)
        w, b, scales, q, out = weights_of(model)
        x = np.random.default_rng(seed).integers(-128, 128, (1, 20, 20, 8)).astype(np.int8)
        multipliers, shifts = conv_requantization(q.scales[0], scales, out.scales[0], 16)
        assert len(multipliers) == len(shifts) == 16
        acc = (x.astype(np.int64) - q.zero_points[0]) @ w.reshape(16, 8).T + b
        scaled = (
            multiply_by_quantized_multiplier_array(acc, np.array(multipliers), np.array(shifts)) + out.zero_points[0]
        )
        lo, hi = activation_range(activation, out.scales[0], out.zero_points[0], "INT8")
        np.testing.assert_array_equal(np.clip(scaled, lo, hi).astype(np.int8), in_tflm(model, x))


@pytest.mark.parametrize("per_channel", [True, False])
def test_dense_requantisation(per_channel: bool) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        q, out = quantization(rng, 0.01), quantization(rng, 0.02, 0.4)
        w = rng.integers(-127, 128, (10, 24)).astype(np.int8)
        scales = rng.uniform(0.001, 0.01, 10 if per_channel else 1).astype(np.float32)
        b = rng.integers(-500, 500, 10).astype(np.int32)
        constants = [
            T(w.shape, "INT8", scales.tolist(), [0] * len(scales), w),
            T((10,), "INT32", (scales.astype(np.float64) * q.scales[0]).tolist(), [0] * len(scales), b),
        ]
        model = single_op("FULLY_CONNECTED", [tensor((64, 24), q), *constants], tensor((64, 10), out))
        x = rng.integers(-128, 128, (64, 24)).astype(np.int8)
        multipliers, shifts = dense_requantization(q.scales[0], scales.tolist(), out.scales[0], 10)
        assert len(multipliers) == (10 if per_channel else 1)
        acc = (x.astype(np.int64) - q.zero_points[0]) @ w.T.astype(np.int64) + b
        scaled = (
            multiply_by_quantized_multiplier_array(acc, np.array(multipliers), np.array(shifts)) + out.zero_points[0]
        )
        np.testing.assert_array_equal(np.clip(scaled, -128, 127).astype(np.int8), in_tflm(model, x))


def test_a_dense_layer_with_one_scale_takes_one_multiplier_of_a_double_product() -> None:
    s = [float(np.float32(v)) for v in (0.0123, 0.00457, 0.0333)]
    q, shift = quantize_multiplier(s[0] * s[1] / s[2])
    assert dense_requantization(s[0], [s[1]], s[2], 4) == ((q,), (shift,))
    assert conv_requantization(s[0], [s[1]], s[2], 4) == ((q,) * 4, (shift,) * 4)


def test_weights_with_a_scale_for_some_channels_only_are_refused() -> None:
    with pytest.raises(Refusal):
        conv_requantization(0.1, [0.1, 0.2], 0.1, 3)


# --- softmax ---------------------------------------------------------------------------------------------------------


def evaluate_softmax(exps: Array, x: Array) -> Array:
    """SOFTMAX_PARAMS' formula, row by row."""
    out = np.full(x.shape, -128, np.int8)
    for row, result in zip(x.astype(int), out, strict=True):
        differences = row.max() - row
        counted = [int(exps[d]) if d < len(exps) else None for d in differences]
        total = sum(rounding_divide_by_pot(e, 12) for e in counted if e is not None)
        scale, bits = gemmlowp.reciprocal(total, 12)
        for c, e in enumerate(counted):
            if e is not None:
                unsaturated = rounding_divide_by_pot(
                    saturating_rounding_doubling_high_multiply(scale, e), bits + 31 - 8
                )
                result[c] = min(max(unsaturated - 128, -128), 127)
    return out


@pytest.mark.parametrize("beta", [1.0, 0.3])
@pytest.mark.parametrize("scale", [0.0004, 0.01, 0.1, 1.0, 40.0])
def test_softmax_table(scale: float, beta: float) -> None:
    single = float(np.float32(scale))
    rng = np.random.default_rng(int(scale * 1000))
    x = rng.integers(-128, 128, (40, 12)).astype(np.int8)
    x[20:] //= 8
    model = single_op("SOFTMAX", [T((40, 12), "INT8", single, 5)], T((40, 12), "INT8", 1 / 256, -128), beta=beta)
    table, count = softmax_parameters(single, beta)
    exps = np.frombuffer(table, "<i4")
    assert len(exps) == count <= 256
    assert exps[0] == INT32_MAX
    np.testing.assert_array_equal(evaluate_softmax(exps, x), in_tflm(model, x))


def test_softmax_that_tflm_would_not_run_is_refused() -> None:
    check_softmax_output(Quantization((1 / 256,), (-128,)))
    for output in (None, Quantization((1 / 256,), (0,)), Quantization((0.1,), (-128,))):
        with pytest.raises(Refusal):
            check_softmax_output(output)
    with pytest.raises(Refusal):
        softmax_parameters(1e-9, 1.0)


def test_tables_are_little_endian() -> None:
    table, count = softmax_parameters(0.1, 1.0)
    assert struct.unpack(f"<{count}i", table)[0] == INT32_MAX
