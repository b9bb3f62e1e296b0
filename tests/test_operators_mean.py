"""MEAN over a map takes in row after row. Over the columns of a map, it makes a row of each row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from operator_cases import MAP, act, each_refused, equal_in_tflm, numbers, refusal, split
from runtime_scene import verdicts
from samples import one_op_program, with_params
from test_oracle import int8s, run_op, run_operator
from tiny_models import single_op

from tflm_split.arithmetic.requantize import mean_parameters, sum_parameters
from tflm_split.ir.graph import Graph, Quantization
from tflm_split.kinds import OpKind
from tflm_split.program.encode import encode
from tflm_split.program.format import HEADER, VIEW


@pytest.mark.parametrize(
    ("shape", "axes", "target", "rows"),
    [
        ((1, 6, 5, 3), (1, 2), (1, 3), 6),
        ((1, 6, 5, 3), (-2, -3), (1, 1, 1, 3), 6),
        ((1, 1, 5, 3), (1, 2), (1, 3), 5),
        ((1, 7, 3), (1,), (1, 3), 7),
    ],
)
def test_a_mean_takes_its_rows_as_they_come(
    shape: tuple[int, ...], axes: tuple[int, ...], target: tuple[int, ...], rows: int
) -> None:
    (op,) = split(single_op("MEAN", [act(*shape), numbers(*axes)], act(*target)))
    assert (op.kind, op.steps, op.accumulator_bytes) == (OpKind.SUM_FEED, rows, 12)


@pytest.mark.parametrize("axes", [(2,), (-2,), (0, 2)])
@pytest.mark.parametrize(
    ("shape", "target"),
    [((1, 6, 5, 3), (1, 6, 1, 3)), ((1, 6, 5, 3), (1, 6, 3)), ((1, 6, 5, 3), (6, 3)), ((1, 6, 1, 3), (1, 6, 3))],
)
@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
def test_over_the_columns_a_row_becomes_a_pixel(
    kind: str, shape: tuple[int, ...], target: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    (op,) = split(single_op(kind, [act(*shape), numbers(*axes)], act(*target)))
    assert (op.kind, op.steps, op.accumulator_bytes, op.params["count"]) == (OpKind.ROW_SUM, 6, 0, shape[2])


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@pytest.mark.parametrize(("axes", "made"), [((2,), (1, 6, 4)), ((3,), (1, 6, 5)), ((1, 2), (1, 4))])
def test_over_any_axes_it_gives_tflms_bytes(kind: str, axes: tuple[int, ...], made: tuple[int, ...]) -> None:
    equal_in_tflm(
        single_op(kind, [act(1, 6, 5, 4, zero_point=-7), numbers(*axes)], act(*made, scale=0.03, zero_point=5))
    )


@each_refused(
    ("mean axes", lambda: single_op("MEAN", [MAP, numbers(1)], act(1, 6, 4)), "axes", "it reduces axes [1] of 4"),
    (
        "maximum axes",
        lambda: single_op("REDUCE_MAX", [MAP, numbers(2)], act(1, 6, 4)),
        "axes",
        "it looks for the largest of each row",
    ),
    (
        "mean columns target",
        lambda: single_op("MEAN", [MAP, numbers(2)], act(1, 1, 6, 2)),
        "rows",
        "its input and output are cut along different axes",
    ),
    ("mean batch", lambda: single_op("MEAN", [act(2, 6, 4), numbers(1)], act(2, 4)), "batch", "batch is 2, needs 1"),
    (
        "mean axes computed",
        lambda: single_op("MEAN", [MAP, act(2, dtype="INT32")], act(1, 4)),
        "constant",
        "its input 1 is computed at run time, needs a constant",
    ),
    (
        "mean target",
        lambda: single_op("MEAN", [MAP, numbers(1, 2)], act(1, 3)),
        "geometry",
        "its output does not have one element per channel",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)


# ROW_SUM and PIXEL_SUM: what the op computes, and what its check refuses.


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@pytest.mark.parametrize(
    ("op_kind", "axis", "shape"), [(OpKind.PIXEL_SUM, 2, (4, 5, 1)), (OpKind.ROW_SUM, 1, (4, 1, 7))]
)
def test_sums_over_the_channels_of_each_pixel_or_the_pixels_of_each_row(
    kind: str, op_kind: OpKind, axis: int, shape: tuple[int, int, int]
) -> None:
    x = int8s(np.random.default_rng(6), 4, 5, 7)
    before, after = Quantization((float(np.float32(0.05)),), (-9,)), Quantization((float(np.float32(0.11)),), (20,))
    params = (mean_parameters if kind == "MEAN" else sum_parameters)(before, after, x.shape[axis])
    axes = np.array([axis + 1], np.int32)
    expected = run_operator(kind, [(x[None], 0.05, -9)], ((1, *shape), 0.11, 20), constants=[axes])
    assert run_op(op_kind, [x], shape, params) == expected


@pytest.mark.parametrize("kind", [OpKind.PIXEL_SUM, OpKind.ROW_SUM])
@pytest.mark.parametrize(
    "fields", [{"mode": 0}, {"mode": 2}, {"count": 0}, {"output_zero_point": 128}, {"output_max": 128}]
)
def test_a_sum_that_is_no_mean_of_int8_is_refused_by_both_checks(kind: OpKind, fields: dict[str, int]) -> None:
    assert all(verdicts(with_params(kind, **fields)))


@pytest.mark.parametrize("kind", [OpKind.PIXEL_SUM, OpKind.ROW_SUM])
def test_a_sum_into_another_shape_is_refused_by_both_checks(kind: OpKind) -> None:
    program = one_op_program(kind)
    blob = bytearray(encode(program))
    at = int(HEADER.unpack(bytes(blob), 0)["views_offset"]) + program.ops[0].output * VIEW.size_bytes
    blob[at : at + VIEW.size_bytes] = VIEW.pack(**VIEW.unpack(bytes(blob), at) | {"row_count": 1})
    assert all(verdicts(bytes(blob)))
