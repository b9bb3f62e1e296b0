"""What does the order of operators save on the cells Serenity (arXiv 2003.02369) is about, what rewriting, what splitting?

`python scripts/bench_orders.py [cell ...] [--effort E] [--states N] [--json FILE] [--from FILE ...] [--update]`; without
names, all cells of `cells.py`. Bytes alive at the worst operator, tensors whole: in the file's order, in the best order, and
in the best order of the rewritten cell (`schedule/whole_operators.py`); the optimum by trying every order, where there are
few enough sets of executed operators. Heads: of stock TFLM for the file; of a program that runs operators whole in that
order, outputs over inputs that die where they may; and of the split model. The latter two are verified in TFLM. Seconds are
of one process's CPU time, verification left out. `--from` reads what `--json` wrote and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from math import exp, log
from pathlib import Path
from typing import Any

import tflm_split
from tflm_split.analysis.liveness import live_peak_bytes
from tflm_split.ir.graph import Graph
from tflm_split.lower.assemble import lower
from tflm_split.lower.compile import compile_schedule
from tflm_split.plan.effort import DEFAULT_EFFORT
from tflm_split.report.table import markdown_table
from tflm_split.schedule.optimal_order import DEFAULT_STATES
from tflm_split.schedule.whole_operators import rewritten_order, whole_operators
from tflm_split.split.regions import split_graph
from tflm_split.tflite.reader import read_model
from tflm_split.verify.evidence import Made
from tflm_split.verify.verification import verify

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_memory import BENCHMARKS, updated
from cells import CELLS, Layers, tflite

MOST_SETS = 5_000
"""Sets of executed operators up to which every order is tried."""
INPUTS = 4
HEADER = (
    "cell", "operators", "file order", "best order", "optimum", "order + rewriting", "seconds", "stock head",
    "head, order + rewriting", "head, split", "seconds",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Orders of operators, rewriting and splitting on irregular cells.")
    parser.add_argument("cells", nargs="*", metavar="cell", help=f"default: all of {', '.join(CELLS)}")
    parser.add_argument("--effort", default="default", help="for splitting, as for tflm-split optimize")
    parser.add_argument(
        "--states", type=int, default=DEFAULT_STATES, help="sets that one search for an order may look at"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the records there")
    parser.add_argument("--from", type=Path, nargs="+", dest="sources", metavar="FILE", help="read records")
    parser.add_argument("--update", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.cells if name not in CELLS]
    if unknown:
        parser.error(f"no cell is called {unknown[0]}; there are {', '.join(CELLS)}")
    records = []
    for source in arguments.sources or ():
        records += json.loads(source.read_text())
    for name in () if arguments.sources else arguments.cells or CELLS:
        records.append({"cell": name, **measure(CELLS[name](), arguments.effort, arguments.states)})
        print(f"{name}: done", file=sys.stderr, flush=True)
    table = markdown_table(HEADER, [*map(row, records), means(records)])
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=1) + "\n")
    if arguments.update:
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), {"orders": table}))


def measure(layers: Layers, effort: str | int, states: int) -> dict[str, Any]:
    """All numbers of one cell; raises SystemExit when a rewritten or split model differs from the original."""
    content = tflite(layers)
    model = read_model(content)
    order = whole_operators(split_graph(model.graph), states=states)
    start = time.process_time()
    rewritten = rewritten_order(model.graph, states=states)
    order_seconds = time.process_time() - start
    in_place = rewritten_order(model.graph, in_place=True, states=states)
    plan = compile_schedule(in_place.split, in_place.step_graph, in_place.schedule, DEFAULT_EFFORT)
    compared = verify(model, lower(model, plan).model, Made(INPUTS, 0))
    if not compared.bit_exact:
        raise SystemExit("a reordered cell does not do what the original does")
    start = time.process_time()
    split = tflm_split.optimize(content, effort=effort, verify=False)
    split_seconds = time.process_time() - start
    if not verify(model, split.model, Made(INPUTS, 0)).bit_exact:
        raise SystemExit("a split cell does not do what the original does")
    return {
        "operators": len(model.graph.operators),
        "file_order_bytes": live_peak_bytes(model.graph),
        "best_order_bytes": order.order.peak_bytes,
        "best_order_bound_bytes": order.order.lower_bound_bytes,
        "optimum_bytes": least_of_all_orders(model.graph, MOST_SETS),
        "rewritten_bytes": rewritten.order.peak_bytes,
        "rewritten_seconds": order_seconds,
        "stock_head_bytes": compared.original_run.head_bytes,
        "rewritten_head_bytes": compared.optimized_run.head_bytes,
        "split_head_bytes": split.report["optimized"]["planned_head_bytes"],
        "split_seconds": split_seconds,
    }


def least_of_all_orders(graph: Graph, most_sets: int) -> int | None:
    """The least live peak of any order of operators, by looking at every set that can have run; None if there are more.

    Straight from the definition: shares nothing with the search it checks.
    """
    producers, consumers = graph.producers(), graph.consumers()
    kept = set(graph.outputs)
    activations = [t for t in range(len(graph.tensors)) if t in producers or t in graph.inputs]

    def alive(done: frozenset[int], t: int) -> bool:
        exists = t in graph.inputs or producers.get(t) in done
        return exists and (t in kept or any(k not in done for k in consumers.get(t, ())))

    def live(done: frozenset[int]) -> int:
        return sum(graph.tensors[t].bytes for t in activations if alive(done, t))

    peaks = {frozenset[int](): live(frozenset())}
    seen = 0
    for _ in graph.operators:
        following: dict[frozenset[int], int] = {}
        for done, peak in peaks.items():
            before = live(done)
            for op in graph.operators:
                if op.index in done or any(t in producers and producers[t] not in done for t in op.inputs):
                    continue
                after = done | {op.index}
                high = max(peak, before + sum(graph.tensors[t].bytes for t in op.outputs))
                following[after] = min(high, following.get(after, high))
        seen += len(following)
        if seen > most_sets:
            return None
        peaks = following
    (least,) = peaks.values()
    return least


def row(record: dict[str, Any]) -> list[str]:
    return [
        record["cell"],
        f"{record['operators']}",
        f"{record['file_order_bytes']:,}",
        f"{record['best_order_bytes']:,}",
        _optimum(record),
        f"{record['rewritten_bytes']:,}",
        f"{record['rewritten_seconds']:.1f}",
        f"{record['stock_head_bytes']:,}",
        f"{record['rewritten_head_bytes']:,}",
        f"{record['split_head_bytes']:,}",
        f"{record['split_seconds']:.1f}",
    ]


def _optimum(record: dict[str, Any]) -> str:
    """What trying every order found; else whether the search proved its own."""
    if record["optimum_bytes"] is not None:
        return f"{record['optimum_bytes']:,}"
    return "proven" if record["best_order_bound_bytes"] == record["best_order_bytes"] else "-"


def means(records: list[dict[str, Any]]) -> list[str]:
    """How many times smaller, as geometric means: than the file's order, and than the stock head."""

    def mean(part: str, whole: str) -> str:
        return f"{exp(sum(log(r[whole] / r[part]) for r in records) / len(records)):.2f}x"

    live, head = "file_order_bytes", "stock_head_bytes"
    return [
        "geometric mean", "", "1.00x", mean("best_order_bytes", live), "", mean("rewritten_bytes", live), "", "1.00x",
        mean("rewritten_head_bytes", head), mean("split_head_bytes", head), "",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
