"""Can this model run without TFLM? Only when its whole graph is one `TFLM_SPLIT` operator."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Model
from tflm_split.program.decode import decode
from tflm_split.program.format import CUSTOM_CODE
from tflm_split.program.in_model import programs_of
from tflm_split.program.types import Program


@dataclass(frozen=True, slots=True)
class OneRegion:
    """A model that is one program.

    `model_inputs[k]` is the model input that is the program's input k. `model_outputs[j]` is the program output that is the
    model's output j.
    """

    graph: Graph
    blob: bytes = field(repr=False)
    program: Program = field(repr=False)
    model_inputs: tuple[int, ...]
    model_outputs: tuple[int, ...]


def graph_of_whole_rows(region: OneRegion) -> Graph:
    """The model's graph, with all rows of a streamed input or output in its tensor's shape instead of those of one call."""
    graph, program = region.graph, region.program
    tensors = list(graph.tensors)
    seen = [
        (program.streams_at(io), graph.inputs[k]) for io, k in zip(program.inputs, region.model_inputs, strict=True)
    ]
    of_outputs = [program.streams_at(program.outputs[j], output=True) for j in region.model_outputs]
    for streamed, index in (*seen, *zip(of_outputs, graph.outputs, strict=True)):
        if streamed is None:
            continue
        tensor = tensors[index]
        view, rows = streamed
        shape = list(tensor.shape)
        # Rows run along the last axis but one, or along H of [1, H, W, C] where the pixels of a row are its columns.
        along = (
            1 if len(shape) == 4 and shape[1] == view.row_count and shape[2] == view.column_count else len(shape) - 2
        )
        shape[along] = rows * shape[along] // view.row_count
        tensors[tensor.index] = replace(tensor, shape=tuple(shape))
    return replace(graph, tensors=tuple(tensors))


def one_region(model: Model) -> OneRegion:
    """The region that is all of `model`.

    Raises InputError, which says what else is in the model, and ProgramError for a damaged program.
    """
    graph = model.graph
    kinds = [op.kind for op in graph.operators]
    if kinds.count(f"CUSTOM:{CUSTOM_CODE}") != 1:
        regions = f"{kinds.count(f'CUSTOM:{CUSTOM_CODE}')} TFLM_SPLIT operators"
        raise InputError(f"{model.name}: has {regions}, but a board without TFLM runs a model that is exactly one")
    if len(kinds) > 1:
        stock = next(op for op in graph.operators if op.kind != f"CUSTOM:{CUSTOM_CODE}")
        raise InputError(
            f"{model.name}: {graph.label(stock)} stays with TFLM, but a board without TFLM runs a model that is exactly "
            "one TFLM_SPLIT operator"
        )
    (blob,) = programs_of(model).values()
    program = decode(blob)
    op = graph.operators[0]
    inputs, outputs = op.inputs[:-1], op.outputs[:-1]
    if program.streams_output:
        *ours, position = outputs
        outputs = tuple(ours)
        graph = replace(graph, outputs=tuple(t for t in graph.outputs if t != position))
    if set(inputs) != set(graph.inputs) or not set(graph.outputs) <= set(outputs):
        raise InputError(f"{model.name}: the model's inputs and outputs are not those of its TFLM_SPLIT operator")
    if len(program.inputs) != len(inputs) or len(program.outputs) != len(outputs):
        raise InputError(f"{model.name}: its program has other inputs and outputs than its TFLM_SPLIT operator")
    return OneRegion(
        graph,
        blob,
        program,
        tuple(graph.inputs.index(t) for t in inputs),
        tuple(outputs.index(t) for t in graph.outputs),
    )
