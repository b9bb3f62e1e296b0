"""Why does an operator without a splitter stay stock? One clause per kind, for reports and for SUPPORTED.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tflm_split.program.format import CUSTOM_CODE

_STATE = "it keeps state from one inference to the next"
_VARIABLE = (
    "what its variable holds can be no part of a region (it must be read, set in each inference, and begin as zeros)"
)
_SVDF = "it keeps state, and is not an int8 one of batch 1, with a bias and at most 32 inferences of memory"
_LSTM = "it keeps state, and is not one of int8 or int16 with int8 weights and int16 cells, of batch 1 and with TANH"
_FLOW = "it runs other subgraphs"
_EVERY_ROW = "each of its output rows needs every input row"
_FLOAT_ONLY = "TFLM has it for float32 only, and it has no form for that here"
_BOOLEAN = "it computes with bool"
_INDICES = "it makes numbers that are not quantised"
_BATCHES = "it moves data between batches"

STOCK_REASONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"), _VARIABLE),
        "SVDF": _SVDF,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _LSTM,
        "CIRCULAR_BUFFER": _STATE,
        **dict.fromkeys(("CALL_ONCE", "IF", "WHILE"), _FLOW),
        **dict.fromkeys(("CUMSUM", "REVERSE_V2"), _EVERY_ROW),
        **dict.fromkeys(("NEG", "SIN", "COS", "LOG", "SQRT", "SQUARE", "EXP", "CEIL", "FLOOR", "ROUND"), _FLOAT_ONLY),
        **dict.fromkeys(("L2_POOL_2D", "FLOOR_MOD"), _FLOAT_ONLY),
        **dict.fromkeys(("LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT", "EQUAL", "NOT_EQUAL", "SELECT_V2"), _BOOLEAN),
        **dict.fromkeys(("GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "REDUCE_ALL"), _BOOLEAN),
        **dict.fromkeys(("ARG_MAX", "ARG_MIN", "SHAPE", "CAST"), _INDICES),
        **dict.fromkeys(("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"), _BATCHES),
    }
)


def stock_reason(kind: str) -> str:
    """Why an operator of a kind that no splitter takes stays stock."""
    if kind == f"CUSTOM:{CUSTOM_CODE}":
        return "it is split already"
    if kind.startswith("CUSTOM:"):
        return "it is a custom operator, which only the firmware knows"
    return STOCK_REASONS.get(kind, f"{kind} has no row-wise form here")
