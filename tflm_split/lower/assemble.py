"""Plan -> the optimised model: one `TFLM_SPLIT` operator per region and the offline memory plan. All else stays as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tflm_split.errors import InternalError
from tflm_split.ir.graph import Model, Operator
from tflm_split.lower.compile import Plan
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.format import CUSTOM_CODE, POSITION_SHAPE
from tflm_split.program.in_model import program_name
from tflm_split.tflite.edit import CustomOperator, Edit, Interface, KeptOperator, NewOperator, NewTensor
from tflm_split.tflite.writer import write_model
from tflm_split.verify.replay import replay


def region_blobs(plan: Plan) -> tuple[bytes, ...]:
    """The encoded program of every region. Each is replayed on abstract memory first; InternalError if one fails."""
    blobs = []
    for region in plan.regions:
        blob = encode(region.program)
        replay(decode(blob), region.output_storages)
        blobs.append(blob)
    return tuple(blobs)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A plan, its regions' encoded programs, and the model that holds them."""

    plan: Plan
    blobs: tuple[bytes, ...]
    model: Model


def lower(model: Model, plan: Plan, board: str | None = None) -> Lowered:
    """The optimised model. InternalError if a program fails its replay, or if the new file cannot be read back.

    The file says for which `board` the plan was made.
    """
    blobs = region_blobs(plan)
    return Lowered(plan, blobs, assemble(model, plan, blobs, board))


def assemble(model: Model, plan: Plan, blobs: Sequence[bytes], board: str | None = None) -> Model:
    """`model` with each region of `plan` in place of the region's operators.

    A region is one operator. Its inputs are the region's input tensors and then the program, a constant. Its outputs are
    the region's output tensors and then the workspace, a tensor that covers all bytes the region touches. With a streamed
    output, the position comes before the workspace, and is the model's last output. A tensor whose value is known by now is a
    constant.
    """
    graph = plan.split.graph
    region_at = {region.nodes[0]: r for r, region in enumerate(plan.regions)}
    inside = {n for region in plan.regions for n in region.nodes}
    operators: list[NewOperator] = []
    of_the_file = len(model.graph.tensors)
    tensors: list[NewTensor] = []
    number: dict[int, int] = {}
    positions: list[int] = []

    def written(tensor: int) -> int:
        """The number of a tensor of the graph in the new file, to which a tensor that rewriting made is added."""
        if tensor < of_the_file:
            return tensor
        if tensor not in number:
            value = graph.tensors[tensor]
            number[tensor] = of_the_file + len(tensors)
            tensors.append(NewTensor(value.name, value.shape, value.dtype, None, value.quantization))
        return number[tensor]

    offsets = {written(t): offset for t, offset in plan.offsets.items()}
    for node in plan.schedule.nodes:
        if node in region_at:
            r = region_at[node]
            region = plan.regions[r]
            program = of_the_file + len(tensors)
            tensors.append(NewTensor(program_name(r, board), (len(blobs[r]),), "INT8", blobs[r]))
            workspace = of_the_file + len(tensors)
            tensors.append(NewTensor(f"tflm_split/workspace_{r}", (region.program.workspace_bytes,), "INT8"))
            offsets[workspace] = region.workspace_offset
            inputs, outputs = (tuple(map(written, side)) for side in (region.inputs, region.outputs))
            if plan.position_offset is not None:
                positions.append(of_the_file + len(tensors))
                tensors.append(NewTensor("tflm_split/position", POSITION_SHAPE, "INT32"))
                offsets[positions[0]] = plan.position_offset
                outputs = (*outputs, *positions)
            operators.append(CustomOperator(CUSTOM_CODE, (*inputs, program), (*outputs, workspace)))
        elif node not in inside:
            op = graph.operators[node]
            if op.rewrite:
                raise InternalError(f"{graph.label(op)} was rewritten but stays a stock operator")
            position = op.source[0] if op.source else node
            same = op.inputs == model.graph.operators[position].inputs
            operators.append(KeptOperator(position, None if same else op.inputs))
    interface = None
    if (graph.inputs, graph.outputs) != (model.graph.inputs, model.graph.outputs):
        interface = Interface(tuple(map(written, graph.inputs)), (*map(written, graph.outputs), *positions))
    known = {t.index: t.data for t in graph.tensors[: len(model.graph.tensors)] if t.data is not None}
    constants = {t: data for t, data in known.items() if not model.graph.tensors[t].is_constant}
    kept = [op.position for op in operators if isinstance(op, KeptOperator)]
    emptied = _never_run(model, frozenset(kept))
    return write_model(model, Edit(tuple(operators), tuple(tensors), interface, offsets, constants, emptied=emptied))


def _never_run(model: Model, kept: frozenset[int]) -> frozenset[int]:
    """The subgraphs that a dropped operator of the main graph would run, and no other one: TFLM would still prepare them."""

    def run(operators: Iterable[Operator]) -> set[int]:
        return {int(value) for op in operators for name, value in op.options.items() if name.endswith("subgraph_index")}

    dropped = run(op for op in model.graph.operators if op.index not in kept)
    others = (op for graph in model.other_graphs for op in graph.operators)
    return frozenset(dropped - run(others) - run(model.graph.operators[k] for k in kept) - {0})
