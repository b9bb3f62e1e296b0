"""A table of operators: what each needs, and how it is treated when the model is split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tflm_split.analysis.liveness import live_bytes_per_operator
from tflm_split.analysis.macs import macs
from tflm_split.program.format import CUSTOM_CODE
from tflm_split.split.regions import Split


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator, in file order. `live_bytes` are the activations live while it runs whole.

    `source` are its positions in the file: several if it was folded from several operators. `treatment` is one of
    * `rows: N`: it is cut into N rows, of its output, or of its input if it has an accumulator;
    * `free`: its output shares its input's bytes, so there is nothing to do;
    * `program`: it is a TFLM_SPLIT operator, of a file that is split already;
    * `stock`: it stays as it is, for `reason`.
    """

    index: int
    source: tuple[int, ...]
    kind: str
    output_shape: tuple[int, ...]
    macs: int
    live_bytes: int
    treatment: str
    reason: str = ""


def operator_table(split: Split, addresses: Mapping[int, int] | None = None) -> tuple[OperatorRow, ...]:
    """One row for each operator of `split.graph`, in order. Tensors that share bytes, by `addresses`, count them once."""
    graph = split.graph
    live = live_bytes_per_operator(graph, addresses=addresses)
    rows: dict[int, set[int]] = {}
    for row_op in split.row_ops:
        first = 0 if row_op.accumulates else row_op.placement.first_row
        rows.setdefault(row_op.source, set()).update(range(first, first + row_op.steps))
    table = []
    for op in graph.operators:
        treatment = "stock" if op.index in split.stock else "free"
        if op.index in rows:
            treatment = f"rows: {len(rows[op.index])}"
        if op.kind == f"CUSTOM:{CUSTOM_CODE}":
            treatment = "program"
        refusal = split.refusals.get(op.index) if treatment != "program" else None
        table.append(
            OperatorRow(
                index=op.index,
                source=op.source or (op.index,),
                kind=op.kind,
                output_shape=graph.tensors[op.outputs[0]].shape if op.outputs else (),
                macs=macs(graph, op),
                live_bytes=live[op.index],
                treatment=treatment,
                reason=refusal.reason if refusal else "",
            )
        )
    return tuple(table)


_HEADER = ("op", "kind", "output", "MACs", "live bytes", "split", "")


def format_table(rows: Sequence[OperatorRow]) -> str:
    """The table as text, one line per operator, without a newline at the end. Lines with the most live bytes say `peak`."""
    peak = max((row.live_bytes for row in rows), default=0)
    lines = [_HEADER]
    for row in rows:
        notes = ["peak"] if row.live_bytes == peak else []
        lines.append(
            (
                "+".join(map(str, row.source)),
                row.kind,
                "x".join(map(str, row.output_shape)) or "-",
                "-" if row.treatment == "program" else f"{row.macs:,}",
                f"{row.live_bytes:,}",
                row.treatment,
                "; ".join([*notes, *([row.reason] if row.reason else [])]),
            )
        )
    widths = [max(len(line[c]) for line in lines) for c in range(len(_HEADER))]
    numbers = {_HEADER.index("MACs"), _HEADER.index("live bytes")}
    return "\n".join(
        "  ".join(
            cell.rjust(widths[c]) if c in numbers else cell.ljust(widths[c]) for c, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )
