"""What do patches buy, coarse to fine, and what would they cost alone?

`python scripts/bench_patches.py [--update]`; needs the corpus of real models at `../shared/corpus/models`. Prints Markdown, two
tables; `--update` puts them into docs/benchmarks.md.

*Grain*: one block of a network in patches of so many tiles of columns and rows, all else in rows: bytes alive at the worst step,
multiply-accumulates and steps (kernel calls), as multiples of rows alone. The block is the one that gives the least peak.

*Patches alone*, as in MCUNetV2 (arXiv 2110.15352): the first operators run in a grid of patches, each operator of a patch as a
whole, with no row kept from one patch to the next; the others run one after the other, whole. The cheapest such plan is
looked for whose live bytes are at most the head of the network in rows. It is counted in its favour: no layout, in place wherever
whole operators may be, predicted instructions of an operator in proportion to the pixels it makes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import tflm_split
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.report.table import markdown_table
from tflm_split.rewrite.states import with_states
from tflm_split.rewrite.tile_columns import COLUMNS, can_be_tiled, needs, spans
from tflm_split.schedule.lives import live_bytes_in_place
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.propose.patches import ROW_AXIS, blocks_around, in_patches
from tflm_split.tflite.reader import read_model

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_memory import BENCHMARKS, FOLDERS, updated

BOARD = "m7"
GRAIN_MODELS = ("ad_micronet_large", "mlperf_resnet8_int8", "sil_kws_mobilenetv2")
ALONE_MODELS = (
    "mcunet_vww0_tinyts",
    "mcunet_vww1_tinyts",
    "mlperf_resnet8_int8",
    "person_detect",
    "coral_tf2_mbv2_100_224_ptq",
)
GRAINS = (("coarse", 2, 8), ("coarse", 3, 4), ("middle", 4, 4), ("middle", 4, 2), ("fine", 4, 1), ("fine", 8, 1))
"""(Name, tiles of columns, rows of a patch)."""
GRIDS = (1, 2, 3, 4, 6, 8, 12, 16)
GRAIN_HEADER = ("model", "operators of the block", "grain", "tiles x rows", "alive", "of rows alone", "MACs", "steps")
ALONE_HEADER = ("model", "head of rows", "patches alone", "grid", "operators in patches", "instructions, of rows")


def main() -> None:
    parser = argparse.ArgumentParser(description="Patches, coarse to fine, and alone.")
    parser.add_argument("--update", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    corpus = FOLDERS[1]
    grain = [line for name in GRAIN_MODELS for line in grain_lines(corpus / f"{name}.tflite")]
    alone = [alone_line(corpus / f"{name}.tflite") for name in ALONE_MODELS]
    tables = {"grain": markdown_table(GRAIN_HEADER, grain), "patches": markdown_table(ALONE_HEADER, alone)}
    print("\n".join(tables.values()))
    if arguments.update:
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), tables))


def evaluator_of(path: Path) -> Evaluator:
    model = read_model(path.read_bytes())
    return Evaluator(with_states(model.graph, model.other_graphs), BOARD)


def in_rows(evaluator: Evaluator, *, rows: bool = True) -> Evaluation:
    """Rows alone (or whole operators), in the best of the orders that the search begins with."""
    nothing = Decision((), (), rows=rows)
    states = [evaluator.first(replace(nothing, nodes=nodes)) for nodes in evaluator.orders(nothing)]
    return min(states, key=lambda state: state.rank)


def macs(state: Evaluation) -> int:
    steps, ops = state.step_graph.steps, state.split.row_ops
    row_ops = (steps[s].row_op for s in state.schedule.steps)
    return sum(ops[k].macs_per_step for k in row_ops if k is not None)


def grain_lines(path: Path) -> list[list[str]]:
    """Lines of the block whose grains reach the least peak."""
    evaluator = evaluator_of(path)
    start = in_rows(evaluator)
    held = start.held_at_peak()
    found: dict[tuple[int, ...], list[Evaluation | None]] = {}
    for block in blocks_around(start.graph, held.keys(), start.split.stock):
        found[block] = [grained(evaluator, start, block, tiles, rows) for _, tiles, rows in GRAINS]
    best = min(found, key=lambda block: min((s.live_peak_bytes for s in found[block] if s), default=1 << 40))
    lines = [[path.stem, "", "rows alone", "", f"{start.live_peak_bytes:,}", "1.00", "1.00", "1.00"]]
    for (name, tiles, rows), state in zip(GRAINS, found[best], strict=True):
        if state is None:
            continue
        shares = (
            state.live_peak_bytes / start.live_peak_bytes,
            macs(state) / macs(start),
            len(state.schedule.steps) / len(start.schedule.steps),
        )
        operators = f"{best[0]} to {best[-1]}"
        lines.append(
            ["", operators, name, f"{tiles} x {rows}", f"{state.live_peak_bytes:,}", *(f"{s:.2f}" for s in shares)]
        )
    return lines


def grained(
    evaluator: Evaluator, start: Evaluation, block: tuple[int, ...], tiles: int, rows: int
) -> Evaluation | None:
    """`start` with a block in patches; None where the block has fewer rows or columns, or does not fit."""
    shape = start.graph.tensors[start.graph.operators[block[-1]].outputs[0]].shape
    if shape[COLUMNS] < tiles or shape[ROW_AXIS] < rows:
        return None
    decision = in_patches(start, block, tiles, rows)
    if decision is None:
        return None
    inside = [decision.nodes.index(n) for patch in decision.patches for n in (*patch.inner, patch.last)]
    uncut = tuple(cut for cut in decision.cuts if not min(inside) < cut <= max(inside))
    try:
        options = [evaluator.evaluate(replace(decision, cuts=cuts)) for cuts in (uncut, uncut[:1])]
    except Refusal:
        return None
    return min((o for o in options if o.decision.patches), key=lambda o: o.rank, default=None)


@dataclass(frozen=True, slots=True)
class Alone:
    """Patches alone: the first `operators` in a grid, and what that takes."""

    live_bytes: int
    instructions: float
    grid: int
    operators: int


def alone_line(path: Path) -> list[str]:
    result = tflm_split.optimize(path, verify=False)
    head = result.plan.planned_head_bytes if result.plan else 0
    evaluator = evaluator_of(path)
    rows = in_rows(evaluator)
    plans = list(patches_alone(evaluator))
    fitting = [plan for plan in plans if plan.live_bytes <= head]
    if fitting:
        best = min(fitting, key=lambda plan: plan.instructions)
        reached, times = f"{best.live_bytes:,}", f"{best.instructions / rows.instructions:.2f}"
    else:
        best = min(plans, key=lambda plan: (plan.live_bytes, plan.instructions))
        reached, times = f"never: {best.live_bytes:,} at least", f"({best.instructions / rows.instructions:.2f})"
    return [path.stem, f"{head:,}", reached, f"{best.grid} x {best.grid}", str(best.operators), times]


def patches_alone(evaluator: Evaluator) -> Iterator[Alone]:
    """All plans of patches alone: how many of the first operators, on which grid."""
    whole = in_rows(evaluator, rows=False)
    graph = whole.graph
    live = live_bytes_in_place(whole.step_graph, whole.schedule.steps)
    node_of = np.array([whole.step_graph.steps[s].node for s in whole.schedule.steps])
    costs = dict.fromkeys(range(len(graph.operators)), 0.0)
    for n, cost in whole.costs():
        costs[n] += cost
    for operators in range(1, len(graph.operators)):
        block = list(range(operators))
        if not all(can_be_tiled(graph, graph.operators[k]) for k in block):
            return
        if not _closed(graph, operators):
            continue
        rest = int(live[node_of >= operators].max(initial=0))
        for grid in GRIDS:
            plan = _in_grid(graph, block, grid, costs)
            if plan is not None:
                live_bytes, instructions = plan
                yield Alone(max(live_bytes, rest), instructions, grid, operators)


def _closed(graph: Graph, operators: int) -> bool:
    """Whether only the result of the first operators is read by the others."""
    made = {t for op in graph.operators[: operators - 1] for t in op.outputs}
    return not any(made & set(op.inputs) for op in graph.operators[operators:]) and not made & set(graph.outputs)


def _in_grid(graph: Graph, block: list[int], grid: int, costs: Mapping[int, float]) -> tuple[int, float] | None:
    """(Most bytes alive in a patch, instructions of all operators) with `block` in a grid; None where it has too few pixels."""
    result = graph.tensors[graph.operators[block[-1]].outputs[0]]
    if grid > min(result.shape[1:3]):
        return None
    sizes: dict[int, list[tuple[int, int]]] = {}
    for axis in (ROW_AXIS, COLUMNS):
        chain = [(graph.operators[k].outputs[0], tuple(needs(graph, graph.operators[k], axis).values())) for k in block]
        edges = [result.shape[axis] * k // grid for k in range(grid + 1)]
        for k in range(grid):
            for t, (low, high) in spans(chain, (edges[k], edges[k + 1])).items():
                sizes.setdefault(t, []).append((axis, high - low))
    most = {t: [max(n for a, n in of_t if a == axis) for axis in (ROW_AXIS, COLUMNS)] for t, of_t in sizes.items()}
    total = {t: [sum(n for a, n in of_t if a == axis) for axis in (ROW_AXIS, COLUMNS)] for t, of_t in sizes.items()}

    def patch_bytes(t: int) -> int:
        tensor = graph.tensors[t]
        return tensor.bytes * most[t][0] * most[t][1] // (tensor.shape[1] * tensor.shape[2])

    outside = sum(graph.tensors[t].bytes for t in (*graph.inputs, result.index))
    readers = graph.consumers()
    worst = 0
    for position, k in enumerate(block):
        held = {
            t
            for other in block[:position]
            for t in graph.operators[other].outputs
            if any(position <= reader for reader in readers.get(t, ()))
        }
        made = graph.operators[k].outputs[0]
        held |= {made} - {result.index}
        worst = max(worst, sum(patch_bytes(t) for t in held if t != result.index))
    instructions = sum(costs.values())
    for k in block:
        tensor = graph.tensors[graph.operators[k].outputs[0]]
        times = total[tensor.index][0] * total[tensor.index][1] / (tensor.shape[1] * tensor.shape[2])
        instructions += costs[k] * (max(times, 1.0) - 1)
    return outside + worst, instructions


if __name__ == "__main__":
    main()
