"""Which programs does a file hold?"""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.errors import ModelError, ProgramError
from tflm_split.ir.graph import ABSENT, Graph, Model, Operator
from tflm_split.program.format import CUSTOM_CODE
from tflm_split.program.sizes import slow_bytes_of_program, slow_interface


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


def slow_memory_bytes(model: Model) -> int:
    """Bytes of the slow memory that the file's programs share; 0 for a file with one memory. Raises ModelError, ProgramError."""
    return max((slow_bytes_of_program(blob) for _, blob in split_operators_of(model)), default=0)


def slow_tensors(graph: Graph) -> dict[int, int]:
    """Tensor -> its offset in the slow memory, for tensors that the operator puts there, so that TFLM plans no place for them.

    A program that cannot be read puts none there.
    """
    found: dict[int, int] = {}
    for op in graph.operators:
        if op.kind == f"CUSTOM:{CUSTOM_CODE}" and op.inputs and op.inputs[-1] != ABSENT:
            try:
                places = slow_interface(graph.tensors[op.inputs[-1]].data or b"")
            except ProgramError:
                continue
            around = (*op.inputs[:-1], *op.outputs)
            found.update({around[k]: offset for k, offset in places.items() if k < len(around)})
    return found
