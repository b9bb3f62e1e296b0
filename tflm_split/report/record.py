"""The JSON record of one optimisation, schema 1: all numbers that tables, plots and budget checks need.

The same model and options always give the same record: it depends on no clock and no machine. `record_types.py` says what
every field means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tflm_split
from tflm_split.analysis.latency import board_costs, predict
from tflm_split.analysis.liveness import live_peak_bytes
from tflm_split.analysis.macs import graph_macs, macs
from tflm_split.analysis.stock_latency import stock_instructions
from tflm_split.ir.graph import Model
from tflm_split.lower.assemble import Lowered
from tflm_split.lower.compile import Plan
from tflm_split.options import Options
from tflm_split.program.sizes import program_bytes_without_constants
from tflm_split.report.advice import advice
from tflm_split.report.bottleneck import Bottleneck, model_bottleneck, plan_bottleneck
from tflm_split.report.footprint import Footprint
from tflm_split.report.record_types import (
    BUDGET_KEY,
    BottleneckRecord,
    Goal,
    InterfaceChangeRecord,
    Latency,
    Memory,
    ModelIdentity,
    Optimized,
    Packing,
    Record,
    RefusalRecord,
    RegionRecord,
    Verified,
)
from tflm_split.report.stream import output_record, stream_record
from tflm_split.report.two_memories import memories_record
from tflm_split.report.window import window_record
from tflm_split.rewrite.integer_interface import InterfaceChange
from tflm_split.rewrite.streams import Streams
from tflm_split.split.regions import Split
from tflm_split.stock.plan import StockPlan

if TYPE_CHECKING:
    from tflm_split.search.inside import Inside
    from tflm_split.search.reuse import Forgetting, Kept
    from tflm_split.search.two_memories import Traffic
    from tflm_split.verify.compare import Comparison

SCHEMA = 1

WHAT_IS_COUNTED = (
    "The head holds the model's inputs and outputs, activations, accumulators and the kernels' scratch; the tail what "
    "TFLM keeps per tensor, operator and channel. TFLM_SPLIT keeps no state in RAM but what the model remembers (with a "
    "streamed model 12 bytes), in the tail; its stack, below 700 bytes with the portable kernels (1,000 with DSP, 1,500 with "
    "Helium), is the caller's and not part of the arena."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the pipeline decided.

    `lowered` is None when the result is the original. Then `kept_original` says why, and `first_split` what could have
    been split.
    """

    model: Model
    lowered: Lowered | None
    first_split: Split | None
    before: Footprint
    after: Footprint
    comparison: Comparison | None
    changes: tuple[InterfaceChange, ...]
    streams: Streams
    kept_original: str | None
    options: Options
    inside: Inside | None = None
    stock: StockPlan | None = None
    """The result of the target stock, which has no `lowered`."""
    window: tuple[Kept, Forgetting | None] | None = None
    """What is remembered of a window that slides, and what the network takes that remembers nothing."""
    one_memory_bytes: int = 0
    """The planned head in one memory, where two are asked for."""
    slow_traffic: Traffic | None = None
    """What goes to the slow memory and back; None where nothing lies there."""

    @property
    def plan(self) -> Plan | None:
        """The plan behind the result; None when the result is the original."""
        return self.lowered.plan if self.lowered else None

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """The encoded program of each region."""
        return self.lowered.blobs if self.lowered else ()

    @property
    def optimized(self) -> bytes:
        """The bytes of the resulting file."""
        made = self.lowered or self.stock
        return (made.model if made else self.model).original


def make_record(outcome: Outcome) -> Record:
    """The record of `outcome`, as JSON values. Keys stand in the order in which people read them."""
    model, graph = outcome.model, outcome.model.graph
    before, after = _sizes(outcome.before), _sizes(outcome.after)
    running = outcome.stock.model.graph if outcome.stock else graph
    tightest = plan_bottleneck(outcome.plan) if outcome.plan else model_bottleneck(running)
    return {
        "schema": SCHEMA,
        "tool_version": tflm_split.__version__,
        "tflm_version": outcome.comparison.tflm_version if outcome.comparison else None,
        "options": outcome.options.record(),
        "model": model_identity(model),
        "original": {"live_peak_bytes": live_peak_bytes(graph), **before},
        "optimized": _optimized(outcome, after),
        "latency": _latency(outcome),
        "verified": _verified(outcome.comparison, outcome.inside),
        "goal": _goal(outcome.options.max_arena_bytes, after[BUDGET_KEY]),
        "refusals": _refusals(outcome.plan.split if outcome.plan else outcome.first_split),
        "bottleneck": _bottleneck(tightest),
        "kept_original": outcome.kept_original,
        "interface_changes": [_change(model, change) for change in outcome.changes],
        "stream": stream_record(outcome.streams.input, outcome.plan, outcome.options.board),
        "stream_output": output_record(outcome.streams.output, outcome.plan),
        "window": window_record(outcome.window),
        "memories": memories_record(
            outcome.options.memories,
            outcome.one_memory_bytes,
            outcome.plan,
            outcome.slow_traffic,
            after["planned_head_bytes"],
        ),
        "region_details": _region_details(outcome),
        "what_is_counted": WHAT_IS_COUNTED,
    }


def model_identity(model: Model) -> ModelIdentity:
    """The part of a record that says which model it is about."""
    return {
        "name": model.name,
        "sha256": hashlib.sha256(model.original).hexdigest(),
        "ops": len(model.graph.operators),
        "macs": graph_macs(model.graph),
        "file_bytes": len(model.original),
    }


def _sizes(memory: Footprint) -> Memory:
    measured = memory.measured
    return {
        "planned_head_bytes": memory.planned_head_bytes,
        "measured_head_bytes": measured.head_bytes if measured else None,
        "measured_tail_bytes": measured.tail_bytes if measured else None,
        "measured_arena_bytes": measured.arena_bytes if measured else None,
        "predicted_arm32_arena_bytes": memory.predicted_arm32.arena_bytes,
        "predicted_arm32_minimum_arena_bytes": memory.predicted_arm32.minimum_arena_bytes,
        "prediction_unknown": list(memory.predicted_arm32.unknown),
    }


def _optimized(outcome: Outcome, memory: Memory) -> Optimized:
    """What the optimised file is made of. In an original that was kept, nothing is split."""
    plan, model, stock = outcome.plan, outcome.model, outcome.stock
    if plan is None:
        return {
            **memory,
            "lower_bound_bytes": stock.layout.lower_bound_bytes if stock else live_peak_bytes(model.graph),
            "macs": graph_macs(model.graph),
            "file_bytes": len(outcome.optimized),
            "program_bytes": 0,
            "program_constant_bytes": 0,
            "steps": 0,
            "regions": 0,
            "split_ops": 0,
            "stock_ops": len(stock.order) if stock else len(model.graph.operators),
            "layout": stock.layout.technique if stock else None,
            "packing": None,
        }
    programs = [program_bytes_without_constants(blob) for blob in outcome.blobs]
    split = plan.split
    return {
        **memory,
        "lower_bound_bytes": plan.lower_bound_bytes,
        "macs": plan_macs(plan),
        "file_bytes": len(outcome.optimized),
        "program_bytes": sum(programs),
        "program_constant_bytes": sum(map(len, outcome.blobs)) - sum(programs),
        "steps": sum(len(region.program.steps) for region in plan.regions),
        "regions": len(plan.regions),
        "split_ops": len(_original_operators(split) - _original_operators(split, stock=True)),
        "stock_ops": len(split.stock),
        "layout": plan.layout.technique,
        "packing": None if plan.slow_bytes else _packing(plan),
    }


def _original_operators(split: Split, *, stock: bool = False) -> frozenset[int]:
    """Positions in the original file of the operators of `split`, or of its stock operators only.

    An operator that is computed several times, or was fused with others, counts once.
    """
    chosen = (op for op in split.graph.operators if not stock or op.index in split.stock)
    return frozenset(position for op in chosen for position in op.source)


def _packing(plan: Plan) -> Packing:
    """How good the layout is, given the order of steps.

    It compares the head with two lower bounds: the bytes live at the worst step, and the largest bound that is proven. The
    gap is the one to the live bytes. `moves` counts rows that are copied to another address on the way.
    """
    live, bound = plan.lower_bound_bytes, plan.layout.lower_bound_bytes
    copied = [r.program.storages[m.storage].row_bytes for r in plan.regions for m in r.program.moves]
    return {
        "live_lower_bound_bytes": live,
        "proven_lower_bound_bytes": bound,
        "planned_bytes": plan.planned_head_bytes,
        "proven_optimal": plan.planned_head_bytes <= bound,
        "gap_percent": round(100 * (plan.planned_head_bytes / live - 1), 2) if live else 0.0,
        "solver": plan.layout.solver,
        "moves": len(copied),
        "moved_bytes": sum(copied),
    }


def _latency(outcome: Outcome) -> Latency:
    """Predicted instructions of one inference on the chosen board, for the split operators only.

    They are None where nothing is split. `layer_wise` is what the same operators would take whole, on the same kernels.
    """
    costs = board_costs(outcome.options.board)
    predicted = [
        predict(region.program, outcome.options.board) for region in (outcome.plan.regions if outcome.plan else ())
    ]
    return {
        "board": outcome.options.board,
        "compiler": costs.compiler,
        "predicted_instructions": sum(p.instructions for p in predicted) if predicted else None,
        "predicted_layer_wise_instructions": sum(p.layer_wise_instructions for p in predicted) if predicted else None,
        "predicted_stock_instructions": _stock_instructions(outcome.plan, outcome.options.board),
        "unmeasured_kinds": sorted({kind for p in predicted for kind in p.unmeasured_kinds}),
        "stock_ops_not_counted": len(outcome.plan.split.stock) if outcome.plan else len(outcome.model.graph.operators),
    }


def _stock_instructions(plan: Plan | None, board: str) -> int | None:
    """What stock kernels take for the operators that are split; None where there are none, or it is not known for the board."""
    if plan is None or not plan.regions:
        return None
    stock = stock_instructions(plan.split.graph, plan.split.split_operators, board)
    return None if stock is None else round(stock)


def plan_macs(plan: Plan) -> int:
    """Multiply-accumulates of one inference of the plan. A row that a stride skips is not computed, and not counted."""
    step_graph, split = plan.step_graph, plan.split
    total = 0
    for s in plan.schedule.steps:
        step = step_graph.steps[s]
        if step.row_op is None:
            total += macs(split.graph, split.graph.operators[step.node])
        else:
            total += split.row_ops[step.row_op].macs_per_step
    return total


def _verified(comparison: Comparison | None, inside: Inside | None) -> Verified | None:
    if comparison is None:
        return None
    return {
        "inputs": comparison.inputs,
        "bit_exact": comparison.bit_exact,
        "distinct_outputs": comparison.distinct_outputs,
        "inside": {"tensor": inside.tensor, "distinct_values": inside.distinct_values} if inside else None,
        "level": comparison.level,
        "assumed": list(comparison.assumed),
        "not_in_tflm_because": comparison.reason,
    }


def _goal(max_arena_bytes: int | None, needed_bytes: int) -> Goal:
    return {
        "max_arena_bytes": max_arena_bytes,
        "met": max_arena_bytes is None or needed_bytes <= max_arena_bytes,
        "compared_with": BUDGET_KEY,
        "missing_bytes": 0 if max_arena_bytes is None else max(0, needed_bytes - max_arena_bytes),
    }


def _refusals(split: Split | None) -> list[RefusalRecord]:
    """The operators that stay stock, in the graph's order. `kind` is the refusal's: a stable word for tools."""
    refusals: list[RefusalRecord] = []
    if split is None:
        return refusals
    for k, refusal in sorted(split.refusals.items()):
        op = split.graph.operators[k]
        refusals.append(
            {
                "op": op.source[0] if op.source else k,
                "kind": refusal.kind,
                "reason": refusal.reason,
                "advice": advice(op.kind, refusal.kind),
                "operator": op.kind,
                "label": split.graph.label(op),
            }
        )
    return refusals


def _bottleneck(tightest: Bottleneck | None) -> BottleneckRecord | None:
    if tightest is None:
        return None
    return {
        "step": tightest.step,
        "operator": tightest.operator,
        "row": tightest.row,
        "live_bytes": tightest.live_bytes,
        "live_pieces": tightest.live_pieces,
        "live": [{"tensor": name, "pieces": n, "bytes": nbytes} for name, (n, nbytes) in tightest.live.items()],
    }


def _change(model: Model, change: InterfaceChange) -> InterfaceChangeRecord:
    return {
        "side": change.side,
        "position": change.position,
        "tensor": model.graph.tensors[change.tensor].name,
        "dtype": change.dtype,
        "scale": change.scale,
        "zero_point": change.zero_point,
        "sentence": change.sentence(),
    }


def _region_details(outcome: Outcome) -> list[RegionRecord]:
    if outcome.plan is None:
        return []
    graph = outcome.plan.split.graph
    details: list[RegionRecord] = []
    for region, blob in zip(outcome.plan.regions, outcome.blobs, strict=True):
        bare = program_bytes_without_constants(blob)
        details.append(
            {
                "ops": sorted({k for n in region.nodes for k in graph.operators[n].source}),
                "inputs": _names(outcome, region.inputs),
                "outputs": _names(outcome, region.outputs),
                "workspace_offset": region.workspace_offset,
                "workspace_bytes": region.program.workspace_bytes,
                "state_bytes": region.program.state_bytes,
                "steps": len(region.program.steps),
                "program_bytes": bare,
                "program_constant_bytes": len(blob) - bare,
            }
        )
    return details


def _names(outcome: Outcome, tensors: Sequence[int]) -> list[str]:
    graph = outcome.plan.split.graph if outcome.plan else outcome.model.graph
    return [graph.tensors[t].name for t in tensors]
