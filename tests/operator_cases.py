"""One operator at a time for the tests of `split/operators`: models of a single operator, its row ops, its refusal."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from test_split_equals_tflm import check
from tflm_server import TflmServer
from tiny_models import T, single_op

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.split.operators import split_operator
from tflm_split.split.row_op import RowOp
from tflm_split.tflite.reader import read_model

NO_PAD = {"stride_h": 1, "stride_w": 1, "padding": "VALID"}
Refused = tuple[str, Callable[[], "bytes | Graph"], str, str]
"""(name, model, kind of refusal, reason): what the model's last operator must be refused with."""


def split(model: bytes, op: int = -1) -> tuple[RowOp, ...]:
    """The row ops of an operator."""
    graph = read_model(model).graph
    return split_operator(graph, graph.operators[op])


def refusal(model: bytes | Graph) -> tuple[str, str]:
    """(kind, reason) of the refusal of the last operator."""
    graph = read_model(model).graph if isinstance(model, bytes) else model
    with pytest.raises(Refusal) as refused:
        split_operator(graph, graph.operators[-1])
    return refused.value.kind, refused.value.reason


@cache
def _tflm() -> TflmServer:
    server = TflmServer()
    atexit.register(server.close)
    return server


def equal_in_tflm(model: bytes) -> None:
    """Assert that no operator of a model stays stock, and that it gives TFLM's bytes in every way of compiling it."""
    check(_tflm(), model, all_split=True)


def act(
    *shape: int, dtype: str = "INT8", scale: float | None = 0.05, zero_point: int = 0, is_variable: bool = False
) -> T:
    return T(shape, dtype, scale, zero_point, is_variable=is_variable)


def numbers(*values: int, dtype: str = "INT32", scale: float | None = None) -> T:
    array = np.array(values, {"INT32": np.int32, "INT8": np.int8, "INT64": np.int64}[dtype])
    return T(array.shape, dtype, scale, data=array)


def pads(*amounts: tuple[int, int]) -> T:
    return T((len(amounts), 2), "INT32", data=np.array(amounts, np.int32))


def weights(*shape: int, scale: float | list[float] = 0.01, zero_point: int = 0, axis: int = 0) -> T:
    return T(shape, "INT8", scale, zero_point, np.ones(shape, np.int8), axis=axis)


def changed(model: bytes, **fields: Any) -> Graph:
    """The model's graph with some fields of its last operator replaced; `options` are added to its options."""
    graph = read_model(model).graph
    op: Operator = graph.operators[-1]
    options = dict(op.options) | fields.pop("options", {})
    op = replace(op, options=options, **fields)
    return replace(graph, operators=(*graph.operators[:-1], op))


def binary(*operands: T, target: T | None = None) -> bytes:
    return single_op("ADD", operands, target or act(1, 6, 5, 3))


def conv(source: T, kernel: T, target: T, *more: T, **options: object) -> bytes:
    return single_op("CONV_2D", [source, kernel, *more], target, **({"padding": "SAME"} | options))


def depthwise(source: T, kernel: T, target: T, **options: object) -> bytes:
    return single_op("DEPTHWISE_CONV_2D", [source, kernel], target, **({"padding": "SAME"} | options))


def dense(source: T, kernel: T, target: T, *more: T, **options: object) -> bytes:
    return single_op("FULLY_CONNECTED", [source, kernel, *more], target, **options)


def pool(source: T, target: T, kernel: int, kind: str = "AVERAGE_POOL_2D", **options: object) -> bytes:
    window = {"filter_height": kernel, "filter_width": kernel, "stride_h": 1, "stride_w": 1, "padding": "VALID"}
    return single_op(kind, [source], target, **(window | options))


def join(*sources: T, target: T, axis: int, **options: object) -> bytes:
    return single_op("CONCATENATION", sources, target, axis=axis, **options)


def each_refused(*cases: Refused) -> pytest.MarkDecorator:
    """The parameters `model`, `kind` and `reason` of a test of refusals."""
    return pytest.mark.parametrize(("model", "kind", "reason"), [c[1:] for c in cases], ids=[c[0] for c in cases])


MAP = act(1, 6, 5, 4)
ONES = weights(4, 1, 1, 4)
