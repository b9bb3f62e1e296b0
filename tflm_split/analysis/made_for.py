"""For which board was a split file made? The board decides which groups and overlaps pay off."""

from __future__ import annotations

from tflm_split.analysis.boards import measured_boards
from tflm_split.ir.graph import Model
from tflm_split.program.in_model import program_name, split_operators_of


def made_for(model: Model) -> str | None:
    """The board that the name of the first program says. None for a file that is not split, or says none that is known."""
    for op, _ in split_operators_of(model):
        name = model.graph.tensors[op.inputs[-1]].name
        return next((board for board in measured_boards() if name == program_name(0, board)), None)
    return None
