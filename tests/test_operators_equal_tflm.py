"""Operators beside convolutions, cut into rows, give TFLM's bytes for random shapes and quantisations.

Each operator stands between two requantisations, so that its rows come from a region and go on in it. `check` compiles
the network in every configuration and runs it in the real TFLM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_split_equals_tflm import check
from tflm_server import TflmServer
from tiny_models import Op, T, build_model

Shape = tuple[int, ...]

drawn = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
maps = st.tuples(st.just(1), st.integers(2, 9), st.integers(1, 7), st.integers(1, 5))
tokens = st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 8))
scales = st.floats(0.002, 0.3).map(lambda s: float(np.float32(s)))
zero_points = st.integers(-128, 127)
quantizations = st.tuples(scales, zero_points)
seeds = st.integers(0, 999)


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def int32s(*values: int) -> T:
    return T((len(values),), "INT32", data=np.array(values, np.int32))


def int8s(shape: Shape, quantization: tuple[float, int], seed: int) -> T:
    data = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
    return T(shape, scale=quantization[0], zero_point=quantization[1], data=data)


def between_requantizations(kind: str, operands: Sequence[T], outputs: Sequence[T], **options: Any) -> bytes:
    """A model: `kind` of `operands`. Each int8 activation comes from a QUANTIZE, and each output goes through one."""
    tensors, operators = [*operands, *outputs], []
    inputs, ends = [], []
    for k, t in enumerate(operands):
        if t.data is not None:
            continue
        inputs.append(len(tensors) if t.dtype == "INT8" else k)
        if t.dtype == "INT8":
            tensors.append(T(t.shape, scale=t.scale, zero_point=min(int(t.zero_point) + 1, 127)))  # type: ignore[arg-type]
            operators.append(Op("QUANTIZE", (inputs[-1],), (k,)))
    made = range(len(operands), len(operands) + len(outputs))
    operators.append(Op(kind, range(len(operands)), made, options))
    for k in made:
        ends.append(len(tensors))
        tensors.append(T(tensors[k].shape, scale=0.05, zero_point=3))
        operators.append(Op("QUANTIZE", (k,), (ends[-1],)))
    return build_model(tensors, operators, inputs, ends)


def one_int8(shape: Shape, quantization: tuple[float, int]) -> T:
    return T(shape, scale=quantization[0], zero_point=quantization[1])


# Element by element.


@pytest.mark.parametrize("kind", ["ELU", "ABS", "RSQRT"])
@drawn
@given(maps, quantizations, quantizations)
def test_a_function_of_one_byte(
    tflm: TflmServer, kind: str, shape: Shape, before: tuple[float, int], after: tuple[float, int]
) -> None:
    if kind == "RSQRT":
        before = (before[0], -128)  # otherwise TFLM fails at an input below its zero point
    check(
        tflm,
        between_requantizations(kind, [one_int8(shape, before)], [one_int8(shape, after)]),
        all_split=True,
    )


@pytest.mark.parametrize("kind", ["MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE", "PRELU"])
@drawn
@given(maps, quantizations, quantizations, quantizations, st.integers(0, 7), seeds, st.booleans())
def test_an_operator_of_two_operands_broadcast(
    tflm: TflmServer,
    kind: str,
    shape: Shape,
    first: tuple[float, int],
    second: tuple[float, int],
    after: tuple[float, int],
    axes: int,
    seed: int,
    constant: bool,
) -> None:
    smaller = (1, *(1 if axes >> a & 1 else size for a, size in enumerate(shape[1:])))
    if not constant and smaller[1] == 1:
        smaller = (1, shape[1], *smaller[2:])  # a lone row of several columns has its columns as rows
    other = int8s(smaller, second, seed) if constant else one_int8(smaller, second)
    model = between_requantizations(kind, [one_int8(shape, first), other], [one_int8(shape, after)])
    check(tflm, model, all_split=True)


@pytest.mark.parametrize("kind", ["MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE"])
@drawn
@given(maps, quantizations, quantizations, quantizations, seeds, st.booleans())
def test_a_scalar_operand_makes_a_table(
    tflm: TflmServer,
    kind: str,
    shape: Shape,
    first: tuple[float, int],
    second: tuple[float, int],
    after: tuple[float, int],
    seed: int,
    constant_first: bool,
) -> None:
    operands = [one_int8(shape, first), int8s((), second, seed)]
    model = between_requantizations(kind, operands[::-1] if constant_first else operands, [one_int8(shape, after)])
    check(tflm, model, all_split=True)


# Reductions.


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@pytest.mark.parametrize("keep_dims", [True, False])
@drawn
@given(maps, quantizations, quantizations)
def test_a_reduction_over_the_map(
    tflm: TflmServer, kind: str, keep_dims: bool, shape: Shape, before: tuple[float, int], after: tuple[float, int]
) -> None:
    out = (1, 1, 1, shape[3]) if keep_dims else (1, shape[3])
    operands = [one_int8(shape, before), int32s(1, 2)]
    check(
        tflm,
        between_requantizations(kind, operands, [one_int8(out, after)], keep_dims=keep_dims),
        all_split=True,
    )


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@pytest.mark.parametrize("keep_dims", [True, False])
@drawn
@given(st.tuples(st.just(1), st.integers(2, 9), st.integers(1, 7), st.integers(1, 70)), quantizations, quantizations)
def test_a_reduction_over_the_columns_goes_row_by_row(
    tflm: TflmServer, kind: str, keep_dims: bool, shape: Shape, before: tuple[float, int], after: tuple[float, int]
) -> None:
    """More channels than the runtime sums up at once among them."""
    out = (1, shape[1], 1, shape[3]) if keep_dims else (1, shape[1], shape[3])
    operands = [one_int8(shape, before), int32s(2)]
    model = between_requantizations(kind, operands, [one_int8(out, after)], keep_dims=keep_dims)
    check(tflm, model, all_split=True)


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@drawn
@given(tokens | maps, quantizations, quantizations)
def test_a_reduction_over_the_channels_goes_pixel_by_pixel(
    tflm: TflmServer, kind: str, shape: Shape, before: tuple[float, int], after: tuple[float, int]
) -> None:
    operands = [one_int8(shape, before), int32s(-1)]
    model = between_requantizations(kind, operands, [one_int8((*shape[:-1], 1), after)], keep_dims=True)
    check(tflm, model, all_split=True)


@drawn
@given(maps, quantizations, st.booleans())
def test_the_largest_of_a_map(tflm: TflmServer, shape: Shape, quantization: tuple[float, int], keep_dims: bool) -> None:
    out = (1, 1, 1, shape[3]) if keep_dims else (1, shape[3])
    operands = [one_int8(shape, quantization), int32s(2, 1)]
    model = between_requantizations("REDUCE_MAX", operands, [one_int8(out, quantization)], keep_dims=keep_dims)
    check(tflm, model, all_split=True)


# Maps resized, blocks moved.


@pytest.mark.parametrize(("align", "centers"), [(False, False), (True, False), (False, True)])
@drawn
@given(maps, st.integers(2, 20), st.integers(1, 20), quantizations)
def test_a_map_resized_between_its_pixels(
    tflm: TflmServer,
    align: bool,
    centers: bool,
    shape: Shape,
    rows: int,
    columns: int,
    quantization: tuple[float, int],
) -> None:
    operands = [one_int8(shape, quantization), int32s(rows, columns)]
    out = one_int8((1, rows, columns, shape[3]), quantization)
    model = between_requantizations("RESIZE_BILINEAR", operands, [out], align_corners=align, half_pixel_centers=centers)
    check(tflm, model, all_split=True)


@pytest.mark.parametrize("kind", ["SPACE_TO_DEPTH", "DEPTH_TO_SPACE"])
@drawn
@given(maps, st.integers(1, 4), quantizations)
def test_blocks_that_change_places(
    tflm: TflmServer, kind: str, shape: Shape, block: int, quantization: tuple[float, int]
) -> None:
    _, height, width, channels = shape
    deep = one_int8((1, height, width, channels * block**2), quantization)
    wide = one_int8((1, height * block, width * block, channels), quantization)
    source, target = (wide, deep) if kind == "SPACE_TO_DEPTH" else (deep, wide)
    check(tflm, between_requantizations(kind, [source], [target], block_size=block), all_split=True)


# Joined and taken apart.


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("shape", [(4, 3), (5,), (1, 6)])
def test_tensors_packed(tflm: TflmServer, axis: int, shape: Shape) -> None:
    if axis > len(shape):
        return
    at = axis % (len(shape) + 1)
    out = one_int8((*shape[:at], 2, *shape[at:]), (0.1, 0))
    parts = [one_int8(shape, (0.1, 0))] * 2
    model = between_requantizations("PACK", parts, [out], axis=axis, values_count=2)
    check(tflm, model, all_split=all(d == 1 for d in shape[:at]) and at < len(shape))


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_a_tensor_unpacked(tflm: TflmServer, axis: int) -> None:
    shape = (1, 4, 3, 2)
    parts = [one_int8((*shape[:axis], *shape[axis + 1 :]), (0.1, 0))] * shape[axis]
    model = between_requantizations("UNPACK", [one_int8(shape, (0.1, 0))], parts, axis=axis, num=shape[axis])
    check(tflm, model)


@drawn
@given(st.data())
def test_a_slice_with_strides(tflm: TflmServer, data: st.DataObject) -> None:
    shape = data.draw(maps | tokens)
    bounds = []
    for size in shape:
        stride = data.draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        taken = range(size)[::stride] if data.draw(st.booleans()) else range(size)[: data.draw(st.integers(1, size))]
        first, last = taken[0], taken[-1]
        bounds.append((first, last + (1 if taken.step > 0 else -1), taken.step))
    if shape[0] == 1:
        bounds[0] = (0, 1, 1)
    out = tuple(len(range(*b)) for b in bounds)
    below = [k for k, (_, end, _) in enumerate(bounds) if end < 0]
    operands = [one_int8(shape, (0.1, 0)), *(int32s(*(b[k] for b in bounds)) for k in range(3))]
    options = {"begin_mask": 0, "end_mask": sum(1 << k for k in below), "shrink_axis_mask": 0}
    check(tflm, between_requantizations("STRIDED_SLICE", operands, [one_int8(out, (0.1, 0))], **options))


# Tables.


@drawn
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 30), quantizations, seeds)
def test_an_embedding(
    tflm: TflmServer, entries: int, width: int, count: int, quantization: tuple[float, int], seed: int
) -> None:
    table = int8s((entries, width), quantization, seed)
    indices = T((1, count), "INT32")
    out = one_int8((1, count, width), quantization)
    model = between_requantizations("GATHER", [table, indices], [out], axis=0)
    rng = np.random.default_rng(seed)
    check(
        tflm, model, all_split=True, inputs=[[rng.integers(0, entries, (1, count)).astype(np.int32)] for _ in range(3)]
    )
