"""PAD and PADV2 surround rows, columns and channels."""

from __future__ import annotations

from collections.abc import Callable

from operator_cases import MAP, act, each_refused, numbers, pads, refusal, split
from tiny_models import single_op

from tflm_split.ir.graph import Graph
from tflm_split.split.rows import RowShape, Window


def test_a_pad_surrounds_rows_columns_and_channels() -> None:
    model = single_op("PAD", [act(1, 4, 3, 2), pads((0, 0), (1, 2), (3, 0), (0, 1))], act(1, 7, 6, 3, zero_point=-7))
    (op,) = split(model)
    assert op.reads[0].window == Window(pad=1)
    assert op.params == {"pad_rows": 1, "pad_columns": 3, "pad_channels": 0, "value": -7}
    assert [len(op.reads[0].window.rows(r, 4)) for r in range(7)] == [0, 1, 1, 1, 1, 0, 0]


def test_a_pad_of_a_map_of_height_one_pads_its_columns_as_rows() -> None:
    (op,) = split(single_op("PAD", [act(1, 1, 4, 2), pads((0, 0), (0, 0), (2, 1), (0, 0))], act(1, 1, 7, 2)))
    assert (op.params["pad_rows"], op.params["pad_columns"], op.output_shape) == (2, 0, RowShape(7, 1, 2))


def test_padv2_brings_its_own_filler() -> None:
    operands = [act(1, 4, 3, 2), pads((0, 0), (1, 1), (0, 0), (0, 0)), numbers(55, dtype="INT8", scale=0.05)]
    assert split(single_op("PADV2", operands, act(1, 6, 3, 2)))[0].params["value"] == 55


@each_refused(
    (
        "padded rank",
        lambda: single_op("PAD", [act(5, 4), pads((1, 0), (0, 0), (0, 0))], act(6, 4)),
        "rank",
        "its padding does not fit its input",
    ),
    (
        "padded outer axes",
        lambda: single_op("PAD", [act(5, 4, 2), pads((1, 0), (1, 0), (0, 0))], act(6, 5, 2)),
        "axes",
        "it pads one of several outer axes",
    ),
    (
        "padded batch",
        lambda: single_op("PAD", [MAP, pads((1, 0), (0, 0), (0, 0), (0, 0))], act(2, 6, 5, 4)),
        "batch",
        "it pads the batch",
    ),
    (
        "negative pad",
        lambda: single_op("PAD", [MAP, pads((0, 0), (-1, 0), (0, 0), (0, 0))], act(1, 5, 5, 4)),
        "geometry",
        "its padding is negative or odd in number",
    ),
    (
        "padded shape",
        lambda: single_op("PAD", [MAP, pads((0, 0), (1, 0), (0, 0), (0, 0))], MAP),
        "geometry",
        "its output shape does not fit its padding",
    ),
    (
        "padded to height 2",
        lambda: single_op("PAD", [act(1, 1, 5, 4), pads((0, 0), (1, 0), (0, 0), (0, 0))], act(1, 2, 5, 4)),
        "geometry",
        "its input and output are cut along different axes",
    ),
    (
        "computed pad",
        lambda: single_op("PAD", [MAP, act(4, 2, dtype="INT32")], MAP),
        "constant",
        "its input 1 is computed at run time, needs a constant",
    ),
    (
        "filler",
        lambda: single_op(
            "PADV2",
            [MAP, pads((0, 0), (1, 0), (0, 0), (0, 0)), numbers(1, 2, dtype="INT8", scale=0.05)],
            act(1, 7, 5, 4),
        ),
        "geometry",
        "its filler is not one value",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)
