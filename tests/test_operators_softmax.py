"""SOFTMAX is computed row by row."""

from __future__ import annotations

from collections.abc import Callable

from operator_cases import act, each_refused, refusal, split
from tiny_models import single_op

from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind


def test_softmax_goes_row_by_row() -> None:
    (op,) = split(single_op("SOFTMAX", [act(4, 10)], act(4, 10, scale=1 / 256, zero_point=-128), beta=1.0))
    assert (op.kind, op.steps) == (OpKind.SOFTMAX, 4)


def test_softmax_needs_the_output_quantisation_tflm_insists_on() -> None:
    kind, _ = refusal(single_op("SOFTMAX", [act(4, 3)], act(4, 3, scale=1 / 128, zero_point=-128), beta=1.0))
    assert kind == "quantization"


@each_refused(
    (
        "softmax channels",
        lambda: single_op("SOFTMAX", [act(1, 4096)], act(1, 4096, scale=1 / 256, zero_point=-128), beta=1.0),
        "overflow",
        "it has 4096 channels, and the exponentials of more than 4095 could overflow their sum",
    ),
    (
        "softmax shape",
        lambda: single_op("SOFTMAX", [act(4, 3)], act(3, 4, scale=1 / 256, zero_point=-128)),
        "geometry",
        "its input and output differ in shape",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)
