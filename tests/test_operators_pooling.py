"""AVERAGE_POOL_2D and MAX_POOL_2D: sliding windows, and a window over the whole map, which takes in row after row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from operator_cases import MAP, NO_PAD, act, each_refused, pool, refusal, split
from tiny_models import single_op

from tflm_split.ir.graph import Graph, Quantization
from tflm_split.kinds import OpKind
from tflm_split.split.rows import Window
from tflm_split.tflite.reader import read_model


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_a_pool_slides(kind: str) -> None:
    (op,) = split(
        single_op(
            kind, [act(1, 9, 6, 2)], act(1, 5, 3, 2),
            filter_height=3, filter_width=2, stride_h=2, stride_w=2, padding="SAME",
        )
    )  # fmt: skip
    assert op.kind is {"AVERAGE_POOL_2D": OpKind.AVERAGE_POOL, "MAX_POOL_2D": OpKind.MAX_POOL}[kind]
    assert op.reads[0].window == Window(3, 2, 1, pad=1)


def test_a_global_average_takes_its_rows_as_they_come() -> None:
    (op,) = split(
        single_op("AVERAGE_POOL_2D", [act(1, 9, 6, 2)], act(1, 1, 1, 2), filter_height=9, filter_width=6, **NO_PAD)
    )
    assert (op.kind, op.steps, op.accumulator_bytes, op.params["count"]) == (OpKind.SUM_FEED, 9, 8, 54)


def test_a_quantisation_that_is_per_channel_is_refused_for_activations() -> None:
    graph = read_model(
        single_op("AVERAGE_POOL_2D", [MAP], act(1, 5, 4, 4), filter_height=2, filter_width=2, **NO_PAD)
    ).graph
    target = replace(graph.tensors[1], quantization=Quantization((0.1, 0.2), (0, 0)))
    assert refusal(replace(graph, tensors=(graph.tensors[0], target)))[0] == "quantization"


@each_refused(
    ("pool channels", lambda: pool(MAP, act(1, 5, 4, 3), 2), "geometry", "its input and output disagree on channels"),
    (
        "tall pool",
        lambda: pool(act(1, 40, 40, 1), act(1, 2, 2, 1), 39, "MAX_POOL_2D"),
        "geometry",
        "its window spans 39 rows, at most 32 can be read at once",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)
