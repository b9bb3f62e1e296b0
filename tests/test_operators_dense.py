"""FULLY_CONNECTED: a pointwise convolution over its batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from operator_cases import act, dense, each_refused, refusal, split, weights
from tiny_models import single_op

from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind
from tflm_split.split.rows import SAME_ROW, RowShape


@pytest.mark.parametrize("shape", [(1, 24), (3, 8), (1, 3, 8), (1, 1, 3, 8)])
def test_a_dense_layer_is_a_pointwise_convolution_over_its_batch(shape: tuple[int, ...]) -> None:
    depth = 24 if shape == (1, 24) else 8
    batch = 24 // depth
    (op,) = split(single_op("FULLY_CONNECTED", [act(*shape), weights(5, depth)], act(batch, 5)))
    assert (op.kind, op.steps, op.reads[0].window) == (OpKind.CONV, batch, SAME_ROW)
    assert (op.reads[0].shape, op.output_shape) == (RowShape(batch, 1, depth), RowShape(batch, 1, 5))


@each_refused(
    (
        "dense depth",
        lambda: dense(act(1, 7), weights(3, 4), act(1, 3)),
        "geometry",
        "its weights and input disagree on depth",
    ),
    (
        "dense units",
        lambda: dense(act(1, 8), weights(3, 8), act(1, 4)),
        "geometry",
        "its output does not fit its weights and input",
    ),
    (
        "dense rank",
        lambda: dense(act(1, 8), weights(3, 8, 1), act(1, 3)),
        "geometry",
        "its weights are not 2-dimensional",
    ),
    (
        "dense scales",
        lambda: dense(act(1, 8), weights(3, 8, scale=[0.1, 0.2]), act(1, 3)),
        "quantization",
        "its weights have neither one scale nor one per unit",
    ),
    ("dense target batch", lambda: dense(act(2, 8), weights(3, 8), act(2, 1, 1, 3)), "batch", "batch is 2, needs 1"),
    (
        "dense target rank",
        lambda: dense(act(2, 8), weights(3, 8), act(1, 2, 1, 1, 3)),
        "rank",
        "tensor 't2' has 5 dimensions, at most 4 can be cut into rows",
    ),
    (
        "shuffled weights",
        lambda: dense(act(1, 8), weights(3, 8), act(1, 3), weights_format="SHUFFLED4x16INT8"),
        "option",
        "its weights format is SHUFFLED4x16INT8",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)
