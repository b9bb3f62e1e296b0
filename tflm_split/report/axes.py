"""Along which axes can a tensor be cut, which tensors are cut with it, and where does the stretch end?

The answer is a record for scripts and a text for people.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from tflm_split.analysis.liveness import activation_bytes
from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Tensor
from tflm_split.report.bottleneck import bottleneck_tensor
from tflm_split.report.command_records import AxesRecord, AxisRecord
from tflm_split.sizes import format_bytes
from tflm_split.split.axes.connected import Link, Stretch, connected
from tflm_split.split.axes.loops import Relation

WIDTH = 120
"""How many characters a line of the text may have."""


def axes_record(graph: Graph, name: str | None = None) -> AxesRecord | None:
    """The stretch of each axis, of more than one index, of the tensor called `name`.

    Without a name, the tensor is the largest one at the operator where memory is tightest. None for a graph without
    operators. Raises InputError when no activation is called `name`.
    """
    tensor = bottleneck_tensor(graph) if name is None else _named(graph, name)
    if tensor is None:
        return None
    return {
        "tensor": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "bytes": activation_bytes(tensor),
        "axes": [_axis(graph, tensor, axis) for axis, size in enumerate(tensor.shape) if size > 1],
    }


def _named(graph: Graph, name: str) -> Tensor:
    used = {*graph.inputs, *(t for op in graph.operators for t in op.outputs)}
    called = [graph.tensors[t] for t in sorted(used) if graph.tensors[t].name == name]
    if not called:
        raise InputError(
            f"no activation is called {name!r}; `tflm-split inspect` without --tensor shows the largest one"
        )
    return called[0]


def _axis(graph: Graph, tensor: Tensor, axis: int) -> AxisRecord:
    stretch = connected(graph, tensor.index, axis)
    return {
        "axis": axis,
        "size": tensor.shape[axis],
        "bytes": sum(activation_bytes(graph.tensors[t]) for t in stretch.axes),
        "tensors": [
            {
                "tensor": graph.tensors[t].name,
                "shape": list(graph.tensors[t].shape),
                "axis": a,
                "made_by": _maker(graph, t),
            }
            for t, a in sorted(stretch.axes.items(), key=lambda item: _made_at(graph, item[0]))
        ],
        "overlaps": [{"operator": _label(graph, link), "indices": link.halo} for link in stretch.windows if link.halo],
        "starts": list(dict.fromkeys(_starts(graph, stretch))),
        "ends": list(dict.fromkeys(_ends(graph, stretch))),
    }


def _made_at(graph: Graph, tensor: int) -> tuple[int, int]:
    return graph.producers().get(tensor, -1), tensor


def _maker(graph: Graph, tensor: int) -> str:
    """The operator that makes a tensor, as `7 CONV_2D`, or `the model's input`."""
    maker = graph.producers().get(tensor)
    return "the model's input" if maker is None else _number(graph, maker)


def _label(graph: Graph, link: Link) -> str:
    return f"op {_number(graph, link.operator)}"


def _number(graph: Graph, operator: int) -> str:
    """An operator as in the table of operators: `7 CONV_2D`."""
    op = graph.operators[operator]
    return f"{'+'.join(map(str, op.source or (op.index,)))} {op.kind}"


def _starts(graph: Graph, stretch: Stretch) -> Iterator[str]:
    """Why the tensors before the stretch are not part of it, one reason each."""
    for t in stretch.axes:
        if t in graph.inputs:
            yield f"model input {graph.tensors[t].name!r}"
    for link in stretch.starts:
        read = _made_by(graph, link.read)
        if link.relation in (Relation.BROADCAST, Relation.REDUCTION):
            yield f"{_label(graph, link)}: every part needs all that {read}"
        elif link.relation is Relation.NONE:
            yield f"{_label(graph, link)}: no part is made of a part of what {read}"
        else:
            yield f"{_label(graph, link)}: what {read} is whole by then, because others need all of it"


def _made_by(graph: Graph, tensor: int) -> str:
    maker = graph.producers().get(tensor)
    if maker is None:
        return f"comes in as {graph.tensors[tensor].name!r}"
    return f"op {_number(graph, maker)} makes"


def _ends(graph: Graph, stretch: Stretch) -> Iterator[str]:
    """Why the tensors after the stretch are not part of it, one reason each."""
    for link in stretch.ends:
        if link.relation is Relation.REDUCTION:
            how = "takes its parts in one after the other" if link.summed else "needs all parts at once"
            yield f"{_label(graph, link)}: {how}"
        elif link.relation is Relation.NONE:
            yield f"{_label(graph, link)}: makes no part of a part"
        else:
            yield f"{_label(graph, link)}: also needs what all parts are needed for"
    for t in stretch.axes:
        if t in graph.outputs:
            yield f"model output {graph.tensors[t].name!r}"


def axes_text(record: AxesRecord) -> str:
    """The record of `axes_record` as text, one paragraph per axis. Ends in a newline."""
    lines = [f"{record['tensor']!r}: {record['dtype'].lower()} {record['shape']}, {format_bytes(record['bytes'])}"]
    for axis in record["axes"]:
        tensors = axis["tensors"]
        count = "it alone" if len(tensors) == 1 else f"{len(tensors)} tensors, {format_bytes(axis['bytes'])} in all"
        lines += ["", f"Along axis {axis['axis']} (of {axis['size']}) one cut goes through {count}:"]
        lines += _listed("of", (t["made_by"] for t in tensors))
        lines += _listed("overlaps of", (f"{o['indices']} at {o['operator']}" for o in axis["overlaps"]))
        lines += (f"  from {reason}" for reason in axis["starts"])
        lines += (f"  to   {reason}" for reason in axis["ends"])
    return "\n".join(lines) + "\n"


def _listed(what: str, entries: Iterable[str]) -> list[str]:
    """The entries as lines of a paragraph; no entry is broken between lines. No entries give no lines."""
    joined = ", ".join(entry.replace(" ", "\0") for entry in entries)
    if not joined:
        return []
    lines = textwrap.wrap(f"{what} {joined}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    return [line.replace("\0", " ") for line in lines]
