"""Small programs of one op each, of many geometries: what `measure_kernels.py` measures. int16 and float kinds are in
`kernel_cases_typed.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tflm_split.kinds import OpKind, WeightFlags

Rng = np.random.Generator
REPEATS = 4
"""Times each step runs in its program: counts are exact to about eight instructions."""


@dataclass(frozen=True, slots=True)
class Case:
    """One op: shapes are (rows, columns, channels); `gap` bytes lie between input pixels. Without `apart` the output rows
    lie on the input rows, from `below_bytes` before each of them."""

    kind: OpKind
    params: Mapping[str, int | float | bytes]
    input: tuple[int, int, int]
    output: tuple[int, int, int]
    input2: tuple[int, int, int] | None = None
    gap: int = 0
    apart: bool = True
    below_bytes: int = 0
    input_bytes: int = 1
    output_bytes: int = 1
    rectified: bool = True


def pick(rng: Rng, *values: int) -> int:
    return int(rng.choice(values))


def requantization(rng: Rng, channels: int, products: int, *, slow: float = 0.1) -> dict[str, int | bytes]:
    """Scales that spread the sums of `products` products over int8; now and then one that shifts left."""
    scale = 50 / (5400 * products**0.5)
    shift = int(np.ceil(np.log2(scale)))
    per_channel = rng.random() < 0.9
    count = channels if per_channel else 1
    shifts = np.full(count, min(shift, -1), np.int8)
    if rng.random() < slow:
        shifts[rng.random(count) < rng.random()] = 0
    narrow = rng.random() < 0.25
    return {
        "input_zero_point": pick(rng, 0, -128, 5, -3),
        "output_zero_point": int(rng.integers(-128, 20)),
        "output_min": int(rng.integers(-100, 0)) if narrow else -128,
        "output_max": int(rng.integers(60, 127)) if narrow and rng.random() < 0.5 else 127,
        "bias_offset": rng.integers(-1000, 1000, channels, dtype=np.int32).tobytes(),
        "multipliers_offset": rng.integers(1 << 30, (1 << 31) - 1, count, dtype=np.int32).tobytes(),
        "shifts_offset": shifts.tobytes(),
        "flags": int(per_channel),
    }


def window_params(rows: int, columns: int, stride: int, dilation: int, pad: tuple[int, int]) -> dict[str, int]:
    return {
        "kernel_rows": rows, "kernel_columns": columns, "stride_rows": stride, "stride_columns": stride,
        "dilation_rows": dilation, "dilation_columns": dilation, "pad_rows": pad[0], "pad_columns": pad[1],
    }  # fmt: skip


def random_window(
    rng: Rng, kernels: tuple[tuple[int, int], ...]
) -> tuple[dict[str, int], tuple[int, int], tuple[int, int]]:
    """A window, the map it reads and the map it makes, SAME or VALID."""
    rows, columns = kernels[int(rng.integers(len(kernels)))]
    stride, dilation = pick(rng, 1, 1, 2), pick(rng, 1, 1, 1, 1, 2)
    out = int(rng.integers(rows, rows + 4)), int(rng.integers(1, 25))
    reach = (rows - 1) * dilation + 1, (columns - 1) * dilation + 1
    pad = (reach[0] // 2, reach[1] // 2) if rng.random() < 0.6 else (0, 0)
    needed = tuple((o - 1) * stride + r - 2 * p for o, r, p in zip(out, reach, pad, strict=True))
    given = max(needed[0], 1), max(needed[1], 1)
    out = tuple((g + 2 * p - r) // stride + 1 for g, p, r in zip(given, pad, reach, strict=True))
    return window_params(rows, columns, stride, dilation, pad), given, (out[0], out[1])


def conv_cases(rng: Rng, count: int) -> Iterator[Case]:
    kernels = ((1, 1), (1, 1), (1, 1), (3, 3), (3, 3), (5, 5), (2, 2), (10, 4), (1, 3), (3, 1), (7, 7))
    for k in range(count):
        window, given, out = random_window(rng, kernels)
        rows, columns = window["kernel_rows"], window["kernel_columns"]
        groups = pick(rng, 1, 1, 1, 1, 1, 1, 2, 4)
        if rows * columns == 1:
            depth = int(rng.choice([1, 3, 8, 16, 24, 32, 48, 64, 96, 128, 144, 256, int(rng.integers(1, 200))]))
        else:
            depth = int(rng.choice([1, 1, 2, 3, 3, 4, 8, 16, 24, 32, 64, int(rng.integers(1, 40))]))
        filters = int(rng.choice([1, 2, 4, 8, 10, 12, 16, 24, 32, 64, 128, int(rng.integers(1, 70))]))
        if rows * columns == 1 and window["pad_rows"] == 0 and k % 10 == 0:
            groups, given, out = 1, (out[0], out[1]), out
            window = window_params(1, 1, 1, 1, (0, 0))
            filters, apart, gap = min(depth, filters), False, 0
        else:
            apart, gap = True, pick(rng, 0, 0, 0, 0, 8)
        while rows * columns * depth * groups * filters * groups > 120_000:
            filters = max(1, filters // 2)
            depth = max(1, depth // 2) if filters == 1 else depth
        weights = rng.integers(-127, 128, filters * groups * rows * columns * depth, dtype=np.int8).tobytes()
        params = {
            **window, **requantization(rng, filters * groups, rows * columns * depth),
            "weights_offset": weights, "groups": groups,
        }  # fmt: skip
        yield Case(OpKind.CONV, params, (*given, depth * groups), (*out, filters * groups), gap=gap, apart=apart)


def conv_sum_cases(rng: Rng, count: int) -> Iterator[Case]:
    """The first, a middle and the last group of convolutions without groups of their own."""
    cases = (c for c in conv_cases(rng, 2 * count) if c.apart and c.params["groups"] == 1)
    for k, case in zip(range(count), cases, strict=False):
        last, flags = k % 3 == 2, int(case.params["flags"]) | (WeightFlags.FIRST if k % 3 == 0 else 0)
        kind = OpKind.CONV_SUM_LAST if last else OpKind.CONV_SUM
        yield replace(case, kind=kind, params={**case.params, "flags": int(flags)}, output_bytes=1 if last else 4)


def fully_connected_cases(rng: Rng, count: int) -> Iterator[Case]:
    """One pixel: FULLY_CONNECTED is a 1x1 convolution."""
    for _ in range(count):
        depth = int(rng.integers(4, 700))
        filters = min(int(rng.choice([1, 2, 3, 8, 10, 12, 128, int(rng.integers(1, 130))])), 120_000 // depth)
        weights = rng.integers(-127, 128, filters * depth, dtype=np.int8).tobytes()
        params = {
            **window_params(1, 1, 1, 1, (0, 0)), **requantization(rng, filters, depth), "weights_offset": weights, "groups": 1,
        }  # fmt: skip
        yield Case(OpKind.CONV, params, (1, 1, depth), (1, 1, filters))


def depthwise_cases(rng: Rng, count: int) -> Iterator[Case]:
    kernels = ((3, 3), (3, 3), (3, 3), (5, 5), (7, 7), (2, 2), (10, 8), (3, 1), (1, 3), (9, 1), (1, 5))
    for k in range(count):
        window, given, out = random_window(rng, kernels)
        rows, columns = window["kernel_rows"], window["kernel_columns"]
        channels = int(rng.choice([1, 4, 8, 16, 24, 32, 48, 64, 96, 128, int(rng.integers(1, 80))]))
        multiplier = pick(rng, 1, 1, 1, 1, 1, 8, 4, 2, 3)
        if multiplier > 1:
            channels = pick(rng, 1, 1, 2, 3)
        if k % 12 == 0:
            given, out, multiplier = (out[0], 1), (out[0], 1), 1
            window = {**window, "stride_columns": 1, "pad_columns": columns // 2 * window["dilation_columns"]}
            window["stride_rows"], window["pad_rows"] = 1, rows // 2 * window["dilation_rows"]
            out = (given[0] + 2 * window["pad_rows"] - (rows - 1) * window["dilation_rows"], 1)
            out = (out[0], 1 + 2 * window["pad_columns"] - (columns - 1) * window["dilation_columns"])
            if out[0] < 1 or out[1] < 1:
                continue
        weights = rng.integers(-127, 128, channels * multiplier * rows * columns, dtype=np.int8).tobytes()
        params = {
            **window, **requantization(rng, channels * multiplier, rows * columns),
            "weights_offset": weights, "groups": multiplier,
        }  # fmt: skip
        apart, below = bool(rng.random() < 0.6) or given != out or multiplier != 1, 0
        if not apart:
            # As far below as the kernels ask for or a few pixels more, and half a pixel or none.
            below = (1 + window["pad_columns"] + (0, 0, 1, 2, 4, 7)[k % 6]) * channels + (k // 6 % 3 > 0) * (
                channels // 2
            )
        case = Case(OpKind.DEPTHWISE, params, (*given, channels), (*out, channels * multiplier))
        yield replace(case, apart=apart, below_bytes=below)


def depthwise_run_cases(rng: Rng, count: int) -> Iterator[Case]:
    """Rows over their own input, half a pixel apart from whole ones: they are made in short runs, some of border pixels only."""
    for _ in range(count):
        columns, channels = pick(rng, 3, 4, 5, 7, 9), pick(rng, 16, 32, 48, 64, 96)
        shape = 3, columns, channels
        params = {
            **window_params(3, 3, 1, 1, (1, 1)), **requantization(rng, channels, 9, slow=0), "groups": 1,
            "weights_offset": rng.integers(-127, 128, 9 * channels, dtype=np.int8).tobytes(),
        }  # fmt: skip
        below = pick(rng, 3, 3, 4, 5) * channels + channels // 4
        yield Case(OpKind.DEPTHWISE, params, shape, shape, apart=False, below_bytes=below)


def pool_cases(kind: OpKind) -> Callable[[Rng, int], Iterator[Case]]:
    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for _ in range(count):
            window, given, out = random_window(rng, ((2, 2), (3, 3), (2, 1), (4, 4), (1, 2), (5, 5), (8, 8)))
            channels = int(rng.choice([1, 4, 8, 16, 32, 64, 100, int(rng.integers(1, 130))]))
            params = {**window, "output_min": -128, "output_max": pick(rng, 127, 100)}
            yield Case(kind, params, (*given, channels), (*out, channels))

    return cases


def binary_cases(kind: OpKind) -> Callable[[Rng, int], Iterator[Case]]:
    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for _ in range(count):
            shape = (2, int(rng.integers(1, 40)), int(rng.choice([1, 3, 8, 16, 24, 64, int(rng.integers(1, 100))])))
            other = shape
            if kind == OpKind.MUL and rng.random() < 0.6:
                other = (shape[0], 1, shape[2]) if rng.random() < 0.6 else (1, 1, 1)
            left = rng.random() < 0.15
            params = {
                "zero_point1": int(rng.integers(-128, 128)), "zero_point2": int(rng.integers(-128, 128)),
                "output_zero_point": int(rng.integers(-30, 30)), "left_shift": 20,
                "multiplier1": int(rng.integers(1 << 30, 1 << 31)), "shift1": 1 if left else -int(rng.integers(0, 3)),
                "multiplier2": int(rng.integers(1 << 30, 1 << 31)), "shift2": -int(rng.integers(0, 3)),
                "output_multiplier": int(rng.integers(1 << 30, 1 << 31)),
                "output_shift": -18 if kind == OpKind.ADD else -7, "output_min": -128, "output_max": 127,
            }  # fmt: skip
            yield Case(kind, params, shape, shape, other)

    return cases


def lut_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        shape = (1, int(rng.integers(1, 40)), int(rng.choice([1, 3, 16, 32, int(rng.integers(1, 100))])))
        output_bytes = pick(rng, 1, 1, 4)
        table = rng.bytes(256 * output_bytes)
        yield Case(OpKind.LUT, {"table_offset": table}, shape, shape, output_bytes=output_bytes)


def quantize_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        shape = (1, int(rng.integers(1, 40)), int(rng.choice([1, 3, 16, int(rng.integers(1, 60))])))
        params = {"scale": 0.05, "zero_point": 3, "output_min": -128, "output_max": 127}
        yield Case(OpKind.QUANTIZE_FLOAT, params, shape, shape, input_bytes=4)


def softmax_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        shape = (1, pick(rng, 1, 1, 2, 8), int(rng.choice([2, 3, 4, 10, 12, 35, 100, int(rng.integers(2, 200))])))
        exps = (np.exp(-0.1 * np.arange(200)) * (2**31 - 1)).astype(np.int32)
        yield Case(OpKind.SOFTMAX, {"exps_offset": exps.tobytes(), "exp_count": len(exps)}, shape, shape)


def pad_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        channels = int(rng.choice([1, 3, 4, 8, 16, 32, 64, int(rng.integers(1, 130))]))
        rows, columns = 2, int(rng.integers(1, 40))
        pad = pick(rng, 0, 1, 2), pick(rng, 0, 1, 3), pick(rng, 0, 0, 0, 4)
        after = 2 * pad[0] // 2, pick(rng, 0, 1), pick(rng, 0, 0, 0, 3)
        output = rows + pad[0] + after[0], columns + pad[1] + after[1], channels + pad[2] + after[2]
        params = {"pad_rows": pad[0], "pad_columns": pad[1], "pad_channels": pad[2], "value": -5}
        yield Case(OpKind.PAD, params, (rows, columns, channels), output, gap=pick(rng, 0, 0, 0, 16))


def sum_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        columns = pick(rng, 1, 2, 3, 4, 7, 12, 49, 300)
        channels = int(rng.choice([1, 4, 16, 64, 256, int(rng.integers(1, 130))]))
        mode = pick(rng, 0, 1)
        params = {
            "mode": mode, "count": 3 * columns, "bias": 10, "multiplier": 1 << 30, "shift": -int(np.log2(columns) + 1),
            "output_zero_point": 1, "output_min": -128, "output_max": 127,
        }  # fmt: skip
        yield Case(OpKind.SUM_FEED, params, (3, columns, channels), (1, 1, channels))


def dense_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        columns, channels = pick(rng, 1, 3, 6, 13), pick(rng, 1, 4, 8, 16, 20, 33)
        outputs = pick(rng, 1, 2, 4, 10, 24, 35)
        weights = rng.integers(-127, 128, outputs * 3 * columns * channels, dtype=np.int8).tobytes()
        scales = requantization(rng, outputs, 3 * columns * channels)
        params = {**scales, "weights_offset": weights}
        yield Case(OpKind.DENSE_FEED, params, (3, columns, channels), (1, 1, outputs), gap=pick(rng, 0, 0, 4))


def transpose_conv_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        kernel, stride = pick(rng, 2, 3, 4), pick(rng, 1, 2, 2)
        rows, columns = 4, int(rng.integers(2, 14))
        depth, filters = pick(rng, 1, 3, 8, 16, 32), pick(rng, 1, 4, 8, 16)
        scales = requantization(rng, filters, max(1, kernel * kernel * depth // stride**2))
        weights = rng.integers(-127, 128, filters * kernel * kernel * depth, dtype=np.int8).tobytes()
        pad = pick(rng, 0, 1)
        params = {
            **scales, "kernel_rows": kernel, "kernel_columns": kernel, "stride_rows": stride,
            "stride_columns": stride, "pad_rows": pad, "pad_columns": pad, "weights_offset": weights,
        }  # fmt: skip
        output = (rows - 1) * stride + kernel - 2 * pad, (columns - 1) * stride + kernel - 2 * pad, filters
        yield Case(OpKind.TRANSPOSE_CONV, params, (rows, columns, depth), output)


def resize_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        columns, channels = int(rng.integers(1, 30)), pick(rng, 1, 2, 3, 4, 8, 16, 24, 64)
        maps = [np.arange(2 * n, dtype=np.uint16) // 2 for n in (2, columns)]
        params = {"row_map_offset": maps[0].tobytes(), "column_map_offset": maps[1].tobytes()}
        yield Case(OpKind.RESIZE_NEAREST, params, (2, columns, channels), (4, 2 * columns, channels))


def gather_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        entries, channels = pick(rng, 2, 30), int(rng.choice([1, 2, 4, 8, 12, 16, 32, 64, int(rng.integers(1, 130))]))
        params = {"table_offset": rng.bytes(entries * channels), "entry_count": entries}
        yield Case(OpKind.GATHER, params, (2, 1, 1), (2, 1, channels), input_bytes=4)


def fetch_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        columns, channels = int(rng.integers(1, 100)), pick(rng, 1, 2, 3, 4, 8, 16)
        gap = pick(rng, 0, 0, 0, 4)
        shape = REPEATS, columns, channels
        yield Case(OpKind.FETCH, {"flip": pick(rng, 0, 128)}, shape, shape, gap=gap)


KINDS: tuple[tuple[Callable[[Rng, int], Iterator[Case]], int], ...] = (
    (conv_cases, 260), (fully_connected_cases, 30), (depthwise_cases, 220),
    (pool_cases(OpKind.AVERAGE_POOL), 40), (pool_cases(OpKind.MAX_POOL), 40),
    (binary_cases(OpKind.ADD), 40), (binary_cases(OpKind.MUL), 40), (lut_cases, 24), (quantize_cases, 16),
    (softmax_cases, 24), (pad_cases, 40), (sum_cases, 40), (dense_cases, 40), (transpose_conv_cases, 30),
    (resize_cases, 20), (conv_sum_cases, 120), (gather_cases, 40), (fetch_cases, 40),
    (depthwise_run_cases, 80),
)  # fmt: skip
"""What makes the cases of a kind, and how many."""
