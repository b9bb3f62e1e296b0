"""MEAN over a map takes in row after row. Over the columns of a map, it makes a row of each row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from operator_cases import MAP, act, each_refused, numbers, refusal, split
from tiny_models import single_op

from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind


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
