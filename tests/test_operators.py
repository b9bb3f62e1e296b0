"""Kinds without a splitter stay stock, and malformed operators are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from operator_cases import MAP, each_refused, refusal
from tiny_models import single_op

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.split.operators import SPLITTERS, split_operator
from tflm_split.tflite.reader import read_model


@pytest.mark.parametrize("kind", sorted(SPLITTERS))
def test_every_splitter_refuses_an_operator_without_operands(kind: str) -> None:
    """Never a bare IndexError or KeyError for a broken file."""
    graph = read_model(single_op("RELU", [MAP], MAP)).graph
    for inputs in ((), (-1,), (0,)):
        for options in ({}, {"axis": "x"}):
            op = Operator(0, kind, inputs, (1,), options)
            try:
                split_operator(graph, op)
            except Refusal:
                continue
            assert kind in (
                "RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "ELU", "ABS", "QUANTIZE", "CONCATENATION", "UNPACK",
                "EMIT_ROWS", "FETCH_ROWS", "KEEP_STATE", "RECUT",
            )  # fmt: skip


@each_refused(
    ("unknown operator", lambda: single_op("RANK", [MAP], MAP), "operator", "RANK has no row-wise form here"),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)
