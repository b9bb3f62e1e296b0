"""Small programs of one op of int16 or float each, as `kernel_cases.py` has them of int8."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from kernel_cases import Case, Rng, conv_cases, depthwise_cases, pick, random_window

from tflm_split.kinds import BinaryMode, OpKind, WeightFlags

_INT16_LIMITS = {"output_min": -32768, "output_max": 32767}
_FLOAT_LIMITS = {"output_min": 0.0, "output_max": 6.0}
_MOST_WEIGHT_BYTES = 120_000


def _scaling_int16(rng: Rng, channels: int, products: int) -> dict[str, int | bytes]:
    """Scales that spread the sums of `products` products over int16; a few that need 64 bits."""
    scale = 8000 / (170_000 * products**0.5)
    shifts = np.full(channels, np.ceil(np.log2(scale)), np.int8)
    if rng.random() < 0.1:
        shifts[rng.random(channels) < rng.random()] = -18
    narrow = {"output_min": 0, "output_max": 32767} if rng.random() < 0.5 else _INT16_LIMITS
    return {
        **narrow,
        "bias_offset": rng.integers(-(2**20), 2**20, channels, dtype=np.int64).tobytes(),
        "multipliers_offset": rng.integers(1 << 30, (1 << 31) - 1, channels, dtype=np.int32).tobytes(),
        "shifts_offset": shifts.tobytes(),
        "flags": int(WeightFlags.PER_CHANNEL),
    }


def _floats(rng: Rng, count: int) -> bytes:
    return rng.normal(0, 0.2, count).astype(np.float32).tobytes()


def _with_window(params: Mapping[str, int | float | bytes]) -> dict[str, int | float | bytes]:
    return {
        name: params[name]
        for name in params
        if name.startswith(("kernel_", "stride_", "dilation_", "pad_")) or name == "groups"
    }


def _weights_of(case: Case) -> bytes:
    weights = case.params["weights_offset"]
    assert isinstance(weights, bytes)
    return weights


def int16_cases(cases_of: Callable[[Rng, int], Iterator[Case]], kind: OpKind) -> Callable[[Rng, int], Iterator[Case]]:
    """The convolutions of int8 with other scales. Where the output lies makes no difference."""

    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for case in cases_of(rng, count):
            weights, channels = _weights_of(case), case.output[2]
            products = len(weights) // channels
            params = {
                **_with_window(case.params), **_scaling_int16(rng, channels, products), "weights_offset": weights,
            }  # fmt: skip
            gap = case.gap // 4 * 4
            yield replace(
                case, kind=kind, params=params, gap=gap, apart=True, below_bytes=0, input_bytes=2, output_bytes=2
            )

    return cases


def float_cases(cases_of: Callable[[Rng, int], Iterator[Case]], kind: OpKind) -> Callable[[Rng, int], Iterator[Case]]:
    """The same in float."""

    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for case in cases_of(rng, count):
            weights = len(_weights_of(case))
            if 4 * weights > _MOST_WEIGHT_BYTES:
                continue
            params = {
                **_with_window(case.params), **_FLOAT_LIMITS, "flags": 0, "bias_offset": _floats(rng, case.output[2]),
                "weights_offset": _floats(rng, weights),
            }  # fmt: skip
            gap = case.gap // 4 * 4
            yield replace(
                case, kind=kind, params=params, gap=gap, apart=True, below_bytes=0, input_bytes=4, output_bytes=4,
                rectified=bool(rng.random() < 0.5),
            )  # fmt: skip

    return cases


def pool_cases(kind: OpKind, element_bytes: int) -> Callable[[Rng, int], Iterator[Case]]:
    limits = _INT16_LIMITS if element_bytes == 2 else _FLOAT_LIMITS

    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for k in range(count):
            window, given, out = random_window(rng, ((2, 2), (3, 3), (2, 1), (4, 4), (1, 2), (5, 5)))
            if window["dilation_rows"] > 1:  # some windows might be empty
                continue
            channels = int(rng.choice([1, 4, 8, 16, 32, int(rng.integers(1, 60))]))
            params = {**window, **limits, "mode": k % 2}
            yield Case(
                kind,
                params,
                (*given, channels),
                (*out, channels),
                input_bytes=element_bytes,
                output_bytes=element_bytes,
            )

    return cases


def binary_int16_cases(rng: Rng, count: int) -> Iterator[Case]:
    for k in range(count):
        shape = (2, int(rng.integers(1, 40)), int(rng.choice([1, 3, 8, 16, 24, 64, int(rng.integers(1, 100))])))
        mode = (BinaryMode.ADD, BinaryMode.MUL, BinaryMode.ADD, BinaryMode.SUB)[k % 4]
        product = mode is BinaryMode.MUL
        params = {
            "mode": int(mode), "left_shift": 0 if product else 15, **_INT16_LIMITS,
            **{f"multiplier{n}": int(rng.integers(1 << 30, 1 << 31)) for n in (1, 2)},
            **{f"shift{n}": 0 if product else pick(rng, 0, 0, -1, -1, -2) for n in (1, 2)},
            "output_multiplier": int(rng.integers(1 << 30, 1 << 31)), "output_shift": -13,
        }  # fmt: skip
        yield Case(OpKind.BINARY_INT16, params, shape, shape, shape, input_bytes=2, output_bytes=2)


def binary_float_cases(rng: Rng, count: int) -> Iterator[Case]:
    for k in range(count):
        shape = (2, int(rng.integers(1, 40)), int(rng.choice([1, 3, 8, 16, 24, 64, int(rng.integers(1, 100))])))
        params = {"mode": (0, 2, 0, 1)[k % 4], **_FLOAT_LIMITS}
        yield Case(OpKind.BINARY_FLOAT, params, shape, shape, shape, input_bytes=4, output_bytes=4)


def sum_cases(kind: OpKind, element_bytes: int) -> Callable[[Rng, int], Iterator[Case]]:
    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for k in range(count):
            columns = pick(rng, 1, 2, 3, 5, 7, 12, 49)
            channels = int(rng.choice([1, 4, 16, 64, 256, int(rng.integers(1, 130))]))
            if element_bytes == 2:
                params: dict[str, int | float | bytes] = {
                    "mode": k % 2, "count": 3 * columns, "bias": 10, "multiplier": 1 << 30,
                    "shift": -int(np.log2(columns) + 1), "output_zero_point": 0, **_INT16_LIMITS,
                }  # fmt: skip
            else:
                params = {"count": 3.0 * columns, **_FLOAT_LIMITS}
            shape = (3, columns, channels)
            yield Case(kind, params, shape, (1, 1, channels), input_bytes=element_bytes, output_bytes=element_bytes)

    return cases


def dense_cases(kind: OpKind, element_bytes: int) -> Callable[[Rng, int], Iterator[Case]]:
    """Of int16, each has a row alone: the sums that a last step finds would be no sums, but noise."""

    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for _ in range(count):
            columns, channels = pick(rng, 1, 3, 6, 13), pick(rng, 1, 4, 8, 16, 20, 33, 64)
            outputs, rows = pick(rng, 1, 2, 4, 10, 24, 35), 1 if element_bytes == 2 else 3
            products = rows * columns * channels
            if element_bytes == 2:
                weights = rng.integers(-127, 128, outputs * products, dtype=np.int8).tobytes()
                params: dict[str, int | float | bytes] = {**_scaling_int16(rng, outputs, products)}
            else:
                weights = _floats(rng, outputs * products)
                params = {**_FLOAT_LIMITS, "bias_offset": _floats(rng, outputs)}
            params |= {"weights_offset": weights}
            yield Case(
                kind, params, (rows, columns, channels), (1, 1, outputs), gap=pick(rng, 0, 0, 4),
                input_bytes=element_bytes, output_bytes=element_bytes, rectified=bool(rng.random() < 0.5),
            )  # fmt: skip

    return cases


def softmax_int16_cases(rng: Rng, count: int) -> Iterator[Case]:
    exps = np.exp(np.linspace(-10, 0, 513)) * 32767
    reciprocals = 32767 / (1 + np.linspace(0, 1, 513))
    for _ in range(count):
        shape = (1, pick(rng, 1, 1, 2, 8), int(rng.choice([2, 3, 4, 10, 12, 35, 100, int(rng.integers(2, 200))])))
        params = {
            "exps_table_offset": exps.astype(np.int16).tobytes(), "multiplier": int(rng.integers(1 << 30, 1 << 31)),
            "reciprocals_table_offset": reciprocals.astype(np.int16).tobytes(), "shift": pick(rng, 0, 1),
        }  # fmt: skip
        yield Case(OpKind.SOFTMAX_INT16, params, shape, shape, input_bytes=2, output_bytes=2)


def softmax_float_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        shape = (1, pick(rng, 1, 1, 2, 8), int(rng.choice([2, 3, 4, 10, 12, 35, 100, int(rng.integers(2, 200))])))
        yield Case(OpKind.SOFTMAX_FLOAT, {"beta": 1.0}, shape, shape, input_bytes=4, output_bytes=4)


KINDS: tuple[tuple[Callable[[Rng, int], Iterator[Case]], int], ...] = (
    (int16_cases(conv_cases, OpKind.CONV_INT16), 200), (int16_cases(depthwise_cases, OpKind.DEPTHWISE_INT16), 120),
    (binary_int16_cases, 60), (pool_cases(OpKind.POOL_INT16, 2), 30), (sum_cases(OpKind.SUM_FEED_INT16, 2), 40),
    (dense_cases(OpKind.DENSE_FEED_INT16, 2), 40), (softmax_int16_cases, 24),
    (float_cases(conv_cases, OpKind.CONV_FLOAT), 120), (float_cases(depthwise_cases, OpKind.DEPTHWISE_FLOAT), 100),
    (binary_float_cases, 40), (pool_cases(OpKind.POOL_FLOAT, 4), 30), (sum_cases(OpKind.SUM_FEED_FLOAT, 4), 40),
    (dense_cases(OpKind.DENSE_FEED_FLOAT, 4), 30), (softmax_float_cases, 24),
)  # fmt: skip
"""What makes the cases of a kind, and how many."""
