"""How many bytes of activations are live while each operator runs, whatever the layout?

The peak is a lower bound of every layout that runs whole operators in this order. TFLM's head is larger by rounding to 16
bytes, kernel scratch and fragmentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from tflm_split.errors import InternalError
from tflm_split.ir.graph import ABSENT, Graph, Tensor

ODD_ELEMENT_BYTES: Mapping[str, int] = MappingProxyType({"RESOURCE": 4, "INT4": 1})
"""Bytes that TFLM counts per element of types without a whole number of bytes (TfLiteTypeSizeOf, memory_helpers.cc)."""


def activation_bytes(tensor: Tensor) -> int:
    """The bytes TFLM counts for this tensor, unrounded; 0 for a constant, a variable, and a type it does not know."""
    if tensor.is_constant or tensor.is_variable:
        return 0
    return tensor.bytes or tensor.elements * ODD_ELEMENT_BYTES.get(tensor.dtype, 0)


def live_bytes_per_operator(
    graph: Graph, order: Sequence[int] | None = None, addresses: Mapping[int, int] | None = None
) -> tuple[int, ...]:
    """Bytes of activations live while each operator runs: entry k is for the k-th operator of `order`, or of the file.

    `addresses` says where tensors lie, as far as that is known; bytes that several of them share count once.

    A tensor lives from the operator that writes it to the last one that reads it, both included. Graph inputs live from
    the start, graph outputs to the end. Not counted are constants, variables and states (they are in the tail), tensors that no
    operator uses, kernel scratch, and rounding to 16 bytes.
    """
    nodes = range(len(graph.operators)) if order is None else order
    if sorted(nodes) != list(range(len(graph.operators))):
        raise InternalError("an order must name every operator once")
    if not nodes:
        return ()
    start: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    stop: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    for position, k in enumerate(nodes):
        op = graph.operators[k]
        for t in op.outputs:
            start.setdefault(t, position)
            stop[t] = position
        for t in op.inputs:
            if t != ABSENT:
                start.setdefault(t, 0)
                stop[t] = position
    for t in graph.outputs:
        start.setdefault(t, 0)
        stop[t] = len(nodes) - 1
    shared = {t: address for t, address in (addresses or {}).items() if t in start}
    change = [0] * (len(nodes) + 1)
    remembered = {t for state in graph.states for t in (state.before, state.after)}
    for t, first in start.items():
        if t in shared:
            continue
        nbytes = 0 if t in remembered else activation_bytes(graph.tensors[t])
        change[first] += nbytes
        change[stop[t] + 1] -= nbytes
    live, now = [], 0
    for delta in change[:-1]:
        now += delta
        live.append(now)
    if not shared:
        return tuple(live)
    return tuple(
        alone
        + covered_bytes(
            (address, activation_bytes(graph.tensors[t]))
            for t, address in shared.items()
            if start[t] <= position <= stop[t]
        )
        for position, alone in enumerate(live)
    )


def covered_bytes(ranges: Iterable[tuple[int, int]]) -> int:
    """How many bytes lie in one at least of these ranges, each an address and a number of bytes?"""
    covered, end = 0, 0
    for address, nbytes in sorted(ranges):
        covered += max(0, address + nbytes - max(address, end))
        end = max(end, address + nbytes)
    return covered


def live_peak_bytes(
    graph: Graph, order: Sequence[int] | None = None, addresses: Mapping[int, int] | None = None
) -> int:
    """Live bytes at the worst operator; for a graph without operators, its interface."""
    if not graph.operators:
        return sum(activation_bytes(graph.tensors[t]) for t in sorted({*graph.inputs, *graph.outputs}))
    return max(live_bytes_per_operator(graph, order, addresses))
