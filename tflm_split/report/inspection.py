"""What is in this file: operators, the memory that is live while each runs, what can be split and, if not, why?"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from tflm_split.analysis.liveness import activation_bytes, live_bytes_per_operator, live_peak_bytes
from tflm_split.analysis.macs import graph_macs, macs
from tflm_split.candidates import rewritten_split
from tflm_split.ir.graph import Graph
from tflm_split.report.footprint import footprint
from tflm_split.report.record import BUDGET_KEY
from tflm_split.report.table import text_table
from tflm_split.sizes import format_bytes
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model

_PEAK = "<-"


def inspect_model(path: os.PathLike[str] | str) -> dict[str, Any]:
    """The file at `path` as a record; TFLM does not run. Bytes throughout. Raises InputError."""
    model = read_model(path)
    graph = model.graph
    memory = footprint(model, None)
    return {
        "schema": 1,
        "model": {
            "name": model.name,
            "sha256": hashlib.sha256(model.original).hexdigest(),
            "ops": len(graph.operators),
            "macs": graph_macs(graph),
            "file_bytes": len(model.original),
        },
        "inputs": [_interface(graph, t) for t in graph.inputs],
        "outputs": [_interface(graph, t) for t in graph.outputs],
        "live_peak_bytes": live_peak_bytes(graph),
        "predicted_head_bytes": memory.planned_head_bytes,
        "predicted_arm32_arena_bytes": memory.predicted_arm32.arena_bytes,
        BUDGET_KEY: memory.predicted_arm32.minimum_arena_bytes,
        "operators": _operators(graph),
    }


def _interface(graph: Graph, tensor: int) -> dict[str, Any]:
    value = graph.tensors[tensor]
    return {"name": value.name, "dtype": value.dtype, "shape": list(value.shape), "bytes": activation_bytes(value)}


def _operators(graph: Graph) -> list[dict[str, Any]]:
    """A record per operator of the file. One that is folded into another (PAD) is split if that one is."""
    split = rewritten_split(graph, SplitOptions())
    refusals = {k: refusal for op, refusal in split.refusals.items() for k in split.graph.operators[op].source}
    live = live_bytes_per_operator(graph)
    found = []
    for op in graph.operators:
        refusal = refusals.get(op.index)
        outputs = [graph.tensors[t] for t in op.outputs]
        found.append(
            {
                "op": op.index,
                "operator": op.kind,
                "output_names": [t.name for t in outputs],
                "output_shapes": [list(t.shape) for t in outputs],
                "macs": macs(graph, op),
                "live_bytes": live[op.index],
                "splittable": refusal is None,
                "kind": refusal.kind if refusal else None,
                "reason": refusal.reason if refusal else None,
            }
        )
    return found


def inspection_text(found: Mapping[str, Any]) -> str:
    """The memory first, then a line per operator, the tightest marked; ends in a newline."""
    operators = found["operators"]
    peak = max((o["live_bytes"] for o in operators), default=0)
    rows = [
        [
            str(o["op"]),
            o["operator"],
            " ".join("x".join(map(str, shape)) for shape in o["output_shapes"]),
            f"{o['macs']:,}" if o["macs"] else "-",
            f"{o['live_bytes']:,}",
            _PEAK if o["live_bytes"] == peak else "",
            "rows" if o["splittable"] else f"stock: {o['reason']}",
        ]
        for o in operators
    ]
    splittable = sum(o["splittable"] for o in operators)
    head = [
        f"{found['model']['name']}: {found['model']['file_bytes']:,} B, {len(operators)} operators, "
        f"{found['model']['macs']:,} MACs",
        *(f"{side} {_line(tensor)}" for side in ("input", "output") for tensor in found[side + "s"]),
        f"In stock TFLM: head {format_bytes(found['predicted_head_bytes'])}, of which "
        f"{format_bytes(found['live_peak_bytes'])} live at the worst operator; arena to set aside on a Cortex-M "
        f"{format_bytes(found[BUDGET_KEY])} (predicted).",
        f"{splittable} of {len(operators)} operators can be split.",
        "",
    ]
    return "\n".join(head) + "\n" + text_table(["op", "kind", "output", "MACs", "live bytes", "", "split"], rows)


def _line(tensor: Mapping[str, Any]) -> str:
    return f"{tensor['name']!r} {tensor['dtype'].lower()} {tensor['shape']}, {format_bytes(tensor['bytes'])}"
