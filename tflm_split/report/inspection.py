"""What is in this file? Its operators, the bytes live while each runs, and whether it can be split (if not, why)."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tflm_split.analysis.liveness import activation_bytes, live_peak_bytes
from tflm_split.analysis.occupancy import OperatorRow, format_table, operator_table
from tflm_split.ir.graph import Graph, Model
from tflm_split.report.advice import advice
from tflm_split.report.axes import axes_record, axes_text
from tflm_split.report.command_records import InspectedOperator, InspectionRecord, Interface
from tflm_split.report.footprint import footprint
from tflm_split.report.programs import program_lines, program_records
from tflm_split.report.record import SCHEMA, model_identity
from tflm_split.report.record_types import BUDGET_KEY
from tflm_split.search.shown import shown_split
from tflm_split.sizes import counted, format_bytes
from tflm_split.split.regions import Split
from tflm_split.tflite.reader import offline_offsets, read_model


def inspect_model(
    path: os.PathLike[str] | str | bytes, *, axes: bool = False, tensor: str | None = None
) -> tuple[InspectionRecord, tuple[OperatorRow, ...]]:
    """(record, table of operators) of the file at `path`, or of a model's bytes. TFLM does not run.

    Raises InputError for a file that is no model.

    With `axes`, the record also says along which axes the largest tensor, or the one called `tensor`, can be cut.
    """
    model = read_model(path)
    graph = model.graph
    memory = footprint(model, None)
    split = shown_split(model)
    addresses = planned_addresses(model, split.graph)
    operators = operator_table(split, addresses)
    peak = live_peak_bytes(graph, addresses=planned_addresses(model, graph))
    record: InspectionRecord = {
        "schema": SCHEMA,
        "model": model_identity(model),
        "inputs": [_interface(graph, t) for t in graph.inputs],
        "outputs": [_interface(graph, t) for t in graph.outputs],
        "signatures": model.signature_count,
        "subgraph_live_peak_bytes": [peak, *map(live_peak_bytes, model.other_graphs)],
        "live_peak_bytes": peak,
        "predicted_head_bytes": memory.planned_head_bytes,
        "predicted_arm32_arena_bytes": memory.predicted_arm32.arena_bytes,
        "predicted_arm32_minimum_arena_bytes": memory.predicted_arm32.minimum_arena_bytes,
        "operators": [_operator(row, split) for row in operators],
        "programs": program_records(model),
        "axes": axes_record(split.graph, tensor) if axes or tensor is not None else None,
    }
    return record, operators


def planned_addresses(model: Model, graph: Graph) -> dict[int, int]:
    """Where the file's plan puts tensors of `graph`, which is the model's, or that after rewrites."""
    offsets = offline_offsets(model) or ()
    both = zip(offsets, model.graph.tensors, graph.tensors, strict=False)
    return {k: offset for k, (offset, old, new) in enumerate(both) if offset >= 0 and old == new}


def _operator(row: OperatorRow, split: Split) -> InspectedOperator:
    refusal = split.refusals.get(row.index) if row.treatment == "stock" else None
    return {
        "index": row.index,
        "source": list(row.source),
        "kind": row.kind,
        "output_shape": list(row.output_shape),
        "macs": row.macs,
        "live_bytes": row.live_bytes,
        "treatment": row.treatment,
        "reason": row.reason,
        "splittable": row.treatment != "stock",
        "advice": advice(row.kind, refusal.kind) if refusal else "",
    }


def _interface(graph: Graph, tensor: int) -> Interface:
    value = graph.tensors[tensor]
    return {"name": value.name, "dtype": value.dtype, "shape": list(value.shape), "bytes": activation_bytes(value)}


def inspection_text(record: InspectionRecord, operators: Sequence[OperatorRow]) -> str:
    """The memory, then a line per operator with the tightest marked, then the axes if asked for. Ends in a newline."""
    programs = record["programs"]
    outside = f", {record['model']['macs']:,} MACs{' outside of programs' if programs else ''}"
    lines = [
        f"{record['model']['name']}: {format_bytes(record['model']['file_bytes'])}, "
        f"{counted(record['model']['ops'], 'operator')}"
        f"{outside if record['model']['macs'] or not programs else ''}",
        *(f"input {_line(tensor)}" for tensor in record["inputs"]),
        *(f"output {_line(tensor)}" for tensor in record["outputs"]),
        f"In {'TFLM' if programs else 'stock TFLM'}: a head of {format_bytes(record['predicted_head_bytes'])}, of which "
        f"{format_bytes(record['live_peak_bytes'])} are live at the worst operator; on a Cortex-M an arena of "
        f"{format_bytes(record[BUDGET_KEY])} must be set aside (predicted).",
        *(program_lines(programs) if programs else [_can_be_split(record, operators)]),
        *_subgraph_lines(record),
        "",
        format_table(operators),
        *_advice_lines(record),
    ]
    if record["axes"] is not None:
        lines += ["", axes_text(record["axes"]).rstrip("\n")]
    return "\n".join(lines) + "\n"


def _can_be_split(record: InspectionRecord, operators: Sequence[OperatorRow]) -> str:
    stock = {k for row in operators if row.treatment == "stock" for k in row.source}
    split = {k for row in operators if row.treatment != "stock" for k in row.source} - stock
    gone = record["model"]["ops"] - len(split) - len(stock)
    does = "does" if gone == 1 else "do"
    return (
        f"{len(split)} of {counted(record['model']['ops'], 'operator')} can be split, {len(stock)} "
        f"{'stays' if len(stock) == 1 else 'stay'} stock{f', {gone} {does} nothing at run time' if gone else ''}."
    )


def _advice_lines(record: InspectionRecord) -> list[str]:
    """What can be done about the operators that stay stock, each reason once."""
    found = {(op["kind"], op["reason"]): op["advice"] for op in record["operators"] if op["treatment"] == "stock"}
    lines = [f"{kind}, {reason}: {words}." for (kind, reason), words in found.items() if words]
    return ["", "What can be done about what stays stock:", *lines] if lines else []


def _subgraph_lines(record: InspectionRecord) -> list[str]:
    """What there is besides the one graph that TFLM runs."""
    peaks, signatures = record["subgraph_live_peak_bytes"], record["signatures"]
    lines = []
    if len(peaks) > 1:
        worst = peaks.index(max(peaks))
        where = "the main one" if worst == 0 else f"subgraph {worst}"
        lines.append(
            f"{len(peaks)} subgraphs; most is live in {where}, {format_bytes(peaks[worst])}. Only the main one is split; the "
            "others run when an operator of it calls them."
        )
    if signatures > 1:
        lines.append(
            f"{signatures} signatures; TFLM runs the main subgraph alone, so convert the one you need by itself."
        )
    return lines


def _line(tensor: Interface) -> str:
    return f"{tensor['name']!r}: {tensor['dtype'].lower()} {tensor['shape']}, {format_bytes(tensor['bytes'])}"
