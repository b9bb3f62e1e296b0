"""Which programs does a file hold?"""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.errors import ModelError
from tflm_split.ir.graph import ABSENT, Model, Operator
from tflm_split.program.format import CUSTOM_CODE


def program_name(number: int, board: str | None) -> str:
    """What a program is called in the file, as viewers show it: it says for which board the plan was made."""
    return f"tflm_split/program_{number}" + (f" for {board}" if board else "")


def split_operators_of(model: Model) -> Iterator[tuple[Operator, bytes]]:
    """The TFLM_SPLIT operators in the file's order, each with its encoded program, which is the operator's last input.

    Raises ModelError for an operator that does not have one.
    """
    graph = model.graph
    for op in graph.operators:
        if op.kind == f"CUSTOM:{CUSTOM_CODE}":
            blob = graph.tensors[op.inputs[-1]].data if op.inputs and op.inputs[-1] != ABSENT else None
            if blob is None:
                raise ModelError(f"{graph.label(op)}: its last input is not a program")
            yield op, blob


def programs_of(model: Model) -> dict[str, bytes]:
    """Label of a TFLM_SPLIT operator -> its encoded program, in the file's order. Raises ModelError like the above."""
    return {model.graph.label(op): blob for op, blob in split_operators_of(model)}
