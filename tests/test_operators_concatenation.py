"""CONCATENATION is a copy per input."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from operator_cases import act, each_refused, join, refusal, split
from tiny_models import single_op

from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind
from tflm_split.split.row_op import Placement


@pytest.mark.parametrize(
    ("axis", "target", "placements", "stride"),
    [
        (1, (1, 10, 4, 3), [Placement(0), Placement(5)], 0),
        (2, (1, 5, 8, 3), [Placement(0, 0), Placement(0, 12)], 3),
        (3, (1, 5, 4, 6), [Placement(0, 0), Placement(0, 3)], 6),
        (-1, (1, 5, 4, 6), [Placement(0, 0), Placement(0, 3)], 6),
    ],
)
def test_a_concatenation_is_a_copy_per_input(
    axis: int, target: tuple[int, ...], placements: list[Placement], stride: int
) -> None:
    ops = split(single_op("CONCATENATION", [act(1, 5, 4, 3), act(1, 5, 4, 3)], act(*target), axis=axis))
    assert [op.placement for op in ops] == placements
    assert [(op.kind, op.output_pixel_stride_bytes, op.steps) for op in ops] == [(OpKind.PAD, stride, 5)] * 2


@pytest.mark.parametrize(("axis", "target"), [(2, (1, 1, 8, 3)), (3, (1, 1, 4, 6))])
def test_maps_of_height_one_are_joined_by_columns_as_rows(axis: int, target: tuple[int, ...]) -> None:
    ops = split(single_op("CONCATENATION", [act(1, 1, 4, 3), act(1, 1, 4, 3)], act(*target), axis=axis))
    assert [op.placement for op in ops] == [Placement(), Placement(4) if axis == 2 else Placement(0, 3)]


@each_refused(
    (
        "joined activation",
        lambda: join(act(1, 3), act(1, 3), target=act(1, 6), axis=1, fused_activation_function="RELU"),
        "activation",
        "it has a fused activation",
    ),
    (
        "joined batches",
        lambda: join(act(1, 6, 5, 4), act(1, 6, 5, 4), target=act(2, 6, 5, 4), axis=0),
        "batch",
        "batch is 2, needs 1",
    ),
    (
        "joined tokens of batches",
        lambda: join(act(2, 3, 4), act(2, 3, 4), target=act(2, 6, 4), axis=1),
        "axes",
        "it joins axis 1 of 3",
    ),
    (
        "joined ranks",
        lambda: join(act(1, 3), act(3), target=act(1, 6), axis=1),
        "geometry",
        "its inputs differ in rank",
    ),
    (
        "joined to height 2",
        lambda: join(act(1, 1, 5, 4), act(1, 1, 5, 4), target=act(1, 2, 5, 4), axis=1),
        "geometry",
        "its inputs differ in row size",
    ),
    (
        "joined sizes",
        lambda: join(act(1, 3), act(1, 2), target=act(1, 6), axis=1),
        "geometry",
        "its inputs do not add up to its output",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)
