"""Everything that a report, a plot or a notebook shows of a result, computed once from what the compiler has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

from tflm_split.analysis.arena import predicted_arm32_arena
from tflm_split.analysis.kernel_sets import REFERENCE, KernelSet, kernel_set
from tflm_split.analysis.latency import predict
from tflm_split.analysis.occupancy import operator_table
from tflm_split.ir.graph import Model
from tflm_split.lower.compile import Plan
from tflm_split.report.advice import advice
from tflm_split.report.axes import axes_record
from tflm_split.report.command_records import AxesRecord
from tflm_split.report.footprint import head_with
from tflm_split.report.record_types import Record
from tflm_split.report.timeline import Timeline, original_timeline, plan_timeline
from tflm_split.search.shown import shown_split
from tflm_split.split.regions import Split


class OperatorView(TypedDict):
    """One operator, as a record for a table.

    `source` are its positions in the original file. `live_bytes` are alive while it runs whole, `split_live_bytes` at most
    during one of its steps (None where nothing is split). `region` is None for a stock operator, `instructions` for one
    that nothing predicts. `reason` and `advice` say why it stays stock, and what can be done.
    """

    index: int
    source: list[int]
    kind: str
    output: str
    output_shape: list[int]
    macs: int
    live_bytes: int
    split_live_bytes: int | None
    instructions: int | None
    treatment: str
    region: int | None
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class KernelArena:
    """The arena to set aside on some cores with some kernels, in bytes, as predicted."""

    kernels: str
    before_bytes: int
    after_bytes: int


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a result. `after` is None when the result is the original."""

    record: Record
    before: Timeline
    after: Timeline | None
    operators: tuple[OperatorView, ...]
    axes: AxesRecord | None
    arenas: tuple[KernelArena, ...]


def view_of(model: Model, optimized: Model, plan: Plan | None, record: Record) -> View:
    """The view of the result `optimized` that `plan` gives for `model`, whose record is `record`."""
    split = plan.split if plan else shown_split(model)
    after = plan_timeline(plan) if plan else None
    operators = operator_views(split, plan, after, str(record["latency"]["board"]))
    arenas = tuple(
        KernelArena(title, *(_arena(m, kernels) for m in (model, optimized))) for title, kernels in _kernels()
    )
    return View(record, original_timeline(model), after, operators, axes_record(split.graph), arenas)


def _kernels() -> Iterator[tuple[str, KernelSet]]:
    yield "32-bit Arm, reference kernels", REFERENCE
    for board, core in (("m3", "without DSP"), ("m7", "with DSP"), ("m55", "with Helium")):
        yield f"32-bit Arm, CMSIS-NN, core {core}", kernel_set("cmsis-nn", board)
    yield "ESP32, ESP32-C3, ESP32-C6, ESP-NN in C", kernel_set("esp-nn", "rv32imc")
    yield "ESP32-S3, ESP-NN", kernel_set("esp-nn-s3", "rv32imc")


def _arena(model: Model, kernels: KernelSet) -> int:
    """The bytes to set aside on a 32-bit core with these kernels."""
    return predicted_arm32_arena(model, head_with(model, kernels), kernels).minimum_arena_bytes


def operator_views(
    split: Split,
    plan: Plan | None = None,
    after: Timeline | None = None,
    board: str = "",
    addresses: Mapping[int, int] | None = None,
) -> tuple[OperatorView, ...]:
    """A record per operator of `split`, in order. Tensors that share bytes, by `addresses`, count them once."""
    graph = split.graph
    instructions = _instructions(plan, board) if plan else {}
    region = {n: r for r, of in enumerate(plan.regions) for n in of.nodes} if plan else {}
    alive: dict[int, int] = {}
    for node, nbytes in zip(after.running, after.live_bytes, strict=True) if after else ():
        alive[node] = max(alive.get(node, 0), nbytes)
    views: list[OperatorView] = []
    for row in operator_table(split, addresses):
        op = graph.operators[row.index]
        refusal = split.refusals.get(row.index) if row.treatment == "stock" else None
        views.append(
            {
                "index": row.index,
                "source": list(row.source),
                "kind": row.kind,
                "output": graph.tensors[op.outputs[0]].name if op.outputs else "",
                "output_shape": list(row.output_shape),
                "macs": row.macs,
                "live_bytes": row.live_bytes,
                "split_live_bytes": alive.get(row.index),
                "instructions": instructions.get(row.index),
                "treatment": row.treatment,
                "region": region.get(row.index),
                "reason": row.reason,
                "advice": advice(row.kind, refusal.kind) if refusal else "",
            }
        )
    return tuple(views)


def _instructions(plan: Plan, board: str) -> Mapping[int, int]:
    """Predicted instructions of each operator that is split. An op of a program is a row op, in the order of first use."""
    found: dict[int, int] = {}
    region_of = {n: r for r, region in enumerate(plan.regions) for n in region.nodes}
    used: list[dict[int, int]] = [{} for _ in plan.regions]
    for s in plan.schedule.steps:
        step = plan.step_graph.steps[s]
        if step.row_op is not None:
            used[region_of[step.node]].setdefault(step.row_op, step.node)
    for region, ops in zip(plan.regions, used, strict=True):
        for node, instructions in zip(ops.values(), predict(region.program, board).instructions_of, strict=True):
            found[node] = found.get(node, 0) + instructions
    return found
