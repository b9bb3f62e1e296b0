"""About how many instructions does TFLM's own operator take on this board?

    instructions = sum over an operator's features (multiply-accumulates, output elements, ...) of count x cost

The kernels are CMSIS-NN's on Cortex-M and the reference kernels on RISC-V. `scripts/measure_stock.py` fitted the costs to
whole models that were measured on emulated boards, and wrote `stock_instructions.json`. Most models are predicted within a
tenth, a few within three tenths: it is good enough to compare a split model with, not to rank kernels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from tflm_split.analysis.macs import macs
from tflm_split.ir.graph import Graph, Operator
from tflm_split.split.operators.tall_convolution import TALL_CONV

STOCK_TABLE_PATH = Path(__file__).with_name("stock_instructions.json")

_TYPES = {"INT16": "int16", "FLOAT32": "float"}
_BINARY = frozenset({"ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE"})
_POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "SUM", "REDUCE_MAX"})
_FREE = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


def stock_instructions(graph: Graph, operators: Iterable[int], board: str) -> float | None:
    """Predicted instructions of these operators of `graph` in stock TFLM; None for a board on which none was measured."""
    costs = _costs().get(board)
    if costs is None:
        return None
    return sum(
        costs.get(name, 0.0) * count for k in operators for name, count in features(graph, graph.operators[k]).items()
    )


def features(graph: Graph, op: Operator) -> Mapping[str, int]:
    """What one operator's instructions are counted in."""
    if not op.outputs or op.kind in _FREE:
        return {}
    output = graph.tensors[op.outputs[0]]
    products = macs(graph, op)
    if output.dtype in _TYPES and products:  # too few models of these types were measured to tell their kernels apart
        return {f"{_TYPES[output.dtype]} mac": products, f"{_TYPES[output.dtype]} output": output.elements}
    if op.kind in ("CONV_2D", TALL_CONV, "TRANSPOSE_CONV", "BATCH_MATMUL"):
        return {"convolution mac": products, "convolution output": output.elements}
    if op.kind == "DEPTHWISE_CONV_2D":
        multiplier = output.shape[-1] // max(1, graph.tensors[op.inputs[0]].shape[-1])
        kind = "depthwise" if multiplier == 1 else "multiplied depthwise"
        return {f"{kind} mac": products, "depthwise output": output.elements}
    if op.kind == "FULLY_CONNECTED":
        return {"dense mac": products}
    if op.kind in _BINARY:
        return {"binary output": output.elements}
    if op.kind in _POOLS:
        return {"pool input": graph.tensors[op.inputs[0]].elements}
    return {"other output": output.elements}


@cache
def _costs() -> Mapping[str, Mapping[str, float]]:
    """By board and feature."""
    data = json.loads(STOCK_TABLE_PATH.read_text())
    return {board: data["instructions"][measured_on] for board, measured_on in data["boards"].items()}
