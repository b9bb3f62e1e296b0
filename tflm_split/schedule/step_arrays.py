"""A step graph as the arrays that the loops in C read (`native/steps.h`). Made once for each graph, and kept with it."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate, chain
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tflm_split.native.loops import native, pointer
from tflm_split.schedule.step_graph import StepGraph, node_dependencies

Ints = npt.NDArray[np.int64]

_NAMES = (
    "first_depends", "depends", "first_read", "reads", "first_write", "writes", "first_overlap", "overlap_read",
    "overlap_written", "overlap_shared", "node", "first_step", "steps_of", "first_needs", "needs", "share", "needed",
    "bytes", "initial", "final",
)  # fmt: skip


class NativeGraph(ctypes.Structure):
    """`step_graph` of steps.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("nodes", "steps", "pieces")),
        *((name, ctypes.c_void_p) for name in _NAMES),
    ]


class StepArrays(Protocol):
    """The arrays live as long as this object does."""

    steps: int
    """How many steps there are, and how many pieces."""
    pieces: int
    reference: Any
    """To `step_graph` of steps.h."""

    def array(self, name: str) -> npt.NDArray[Any]:
        """One of the arrays, by its name in steps.h."""


class _Listed:
    """The arrays of a graph whose steps are listed in Python."""

    def __init__(self, graph: StepGraph) -> None:
        steps = graph.steps
        self.steps, self.pieces = len(steps), len(graph.pieces)
        self.first_depends, self.depends = _lists([s.depends for s in steps])
        self.first_read, self.reads = _lists([s.reads for s in steps])
        self.first_write, self.writes = _lists([s.writes for s in steps])
        overlaps = [s.overlaps for s in steps]
        flat = [(o.read, o.written, o.shared_bytes) for of_step in overlaps for o in of_step]
        columns: Ints = np.array(flat, dtype=np.int64).reshape(-1, 3).T.copy()
        self.overlap_read, self.overlap_written, self.overlap_shared = columns
        self.first_overlap = _starts(overlaps)
        self.node: Ints = np.array([s.node for s in steps], dtype=np.int64)
        self.first_step, self.steps_of = _lists(graph.steps_of)
        needs = node_dependencies(graph)
        self.first_needs, self.needs = _lists([sorted(needs[n]) for n in range(graph.nodes)])
        rows = Counter((s.node, s.row_op) for s in steps)
        self.share = np.array([(s.row + 1) / rows[s.node, s.row_op] for s in steps], dtype=np.float64)
        self.needed = _flags(self.steps, graph.needed)
        self.bytes: Ints = np.array([p.bytes for p in graph.pieces], dtype=np.int64)
        self.initial = _flags(self.pieces, graph.initial)
        self.final = _flags(self.pieces, graph.final)
        pointers = (getattr(self, name).ctypes.data for name in _NAMES)
        self.reference = ctypes.byref(NativeGraph(graph.nodes, self.steps, self.pieces, *pointers))

    def array(self, name: str) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = getattr(self, name)
        return array


def step_arrays(graph: StepGraph) -> StepArrays:
    """The arrays of `graph`, made of its lists."""
    return _Listed(graph)


def arrays_of(graph: StepGraph) -> StepArrays:
    """The arrays of `graph`."""
    return graph.kept.get(step_arrays, graph)


class Alive:
    """Bytes alive in each step of an order: `apart` if no step writes in place, `in_place` if each does where it may."""

    def __init__(self, graph: StepGraph, order: Sequence[int]) -> None:
        library, arrays = native(), arrays_of(graph)
        assert library is not None
        steps: Ints = np.array(order, dtype=np.int64)
        self.apart, self.in_place = np.empty_like(steps), np.empty_like(steps)
        self.start, self.stop = (np.empty(arrays.pieces, dtype=np.int64) for _ in range(2))
        outputs = map(pointer, (self.apart, self.in_place, self.start, self.stop))
        library.tflm_split_live(arrays.reference, pointer(steps), ctypes.c_int64(len(steps)), *outputs)


def _lists(values: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """(Where each list begins, all lists one after the other)."""
    return _starts(values), np.array(list(chain.from_iterable(values)), dtype=np.int64)


def _starts(values: Iterable[Sequence[object]]) -> Ints:
    return np.array(list(accumulate(map(len, values), initial=0)), dtype=np.int64)


def _flags(count: int, members: Collection[int]) -> npt.NDArray[np.uint8]:
    flags = np.zeros(count, dtype=np.uint8)
    flags[list(members)] = 1
    return flags
