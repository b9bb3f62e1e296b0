"""Which pieces are live when? Counted step by step, with no code of the schedulers that it checks."""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.schedule.step_graph import StepGraph


def simulated_peak_bytes(step_graph: StepGraph, order: Sequence[int]) -> int:
    """The most bytes that are live at any step.

    A piece is live from the first step that writes it (or the start) to the last that reads or writes it (or the end). A
    row that is written in place of a dying one shares its bytes, which count once.
    """
    last: dict[int, int] = {}
    first: dict[int, int] = {}
    for at, s in enumerate(order):
        step = step_graph.steps[s]
        for p in (*step.reads, *step.writes):
            last[p] = at
        for p in step.writes:
            first.setdefault(p, at)
    here = {p for p in step_graph.initial if p in last or p in step_graph.final}
    peak = 0
    for at, s in enumerate(order):
        step = step_graph.steps[s]
        here |= set(step.writes)
        live = sum(step_graph.pieces[p].bytes for p in here)
        for overlap in step.overlaps:
            dies = last[overlap.read] == at and overlap.read not in step_graph.final
            if dies and first[overlap.written] == at and overlap.read not in step_graph.initial:
                live -= overlap.shared_bytes
                break
        peak = max(peak, live)
        here -= {p for p in here if last.get(p, at) <= at and p not in step_graph.final}
    return peak


def can_run(step_graph: StepGraph, order: Sequence[int]) -> bool:
    """Whether `order` runs every needed step once, each after those it depends on."""
    at = {s: k for k, s in enumerate(order)}
    return sorted(order) == sorted(step_graph.needed) and all(
        at[d] < k for k, s in enumerate(order) for d in step_graph.steps[s].depends
    )
