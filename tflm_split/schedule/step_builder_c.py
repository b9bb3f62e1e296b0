"""The step graph of a split graph, built by `native/graph.c`. Its Python lists are made when they are first asked for."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tflm_split.analysis.tflm_planner import scratch_room_bytes
from tflm_split.ir.graph import ABSENT, Graph
from tflm_split.kinds import OpKind
from tflm_split.schedule.step_arrays import Ints, NativeGraph, step_arrays
from tflm_split.schedule.step_graph import PIECE_ALIGN, Kept, Overlap, Piece, Step, StepGraph
from tflm_split.schedule.step_lister import WHOLE, Part, rows_of, same_rows, seen_outside
from tflm_split.split.crossing import may_cross
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.regions import Split
from tflm_split.split.row_op import AnyWindow, RowOp

_LISTS = (
    "first_depends", "depends", "first_read", "reads", "first_write", "writes", "first_overlap", "overlap_read",
    "overlap_written", "overlap_distance", "overlap_shared", "node", "row_op", "row", "first_step", "steps_of",
    "first_needs", "needs", "bytes", "piece_storage", "piece_row", "first_producer", "producers", "first_reader",
    "readers", "scratch",
)  # fmt: skip
"""The lists of `built` in graph.c, in its order."""
_COUNTS = ("nodes", "storages", "parts", "row_ops", "stocks", "fixed", "initial", "final", "crossing")
_ARRAYS = (
    "rows", "row_bytes", "part", "row_op", "operand", "stock", "stock_pieces", "fixed_pieces", "initial_pieces",
    "final_pieces", "crossing_pieces",
)  # fmt: skip


class _NativeList(ctypes.Structure):
    """`numbers` of graph.c."""

    _fields_ = [
        ("at", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("room", ctypes.c_int64),
        ("failed", ctypes.c_int),
    ]


class _NativeBuilt(ctypes.Structure):
    """`built` of graph.c."""

    _fields_ = [
        ("graph", NativeGraph),
        ("list", _NativeList * len(_LISTS)),
        ("share", ctypes.c_void_p),
        ("flags", ctypes.c_void_p),
    ]


class _NativeSplit(ctypes.Structure):
    """`split` of graph.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in _COUNTS),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
    ]


class _Rows:
    """Which rows each step of an operand reads, as arrays. They live as long as this object does."""

    def __init__(self, rows: tuple[tuple[int, ...], ...]) -> None:
        self.first: Ints = np.array(list(accumulate(map(len, rows), initial=0)), dtype=np.int64)
        self.rows: Ints = np.array([*chain.from_iterable(rows), 0], dtype=np.int64)
        self.addresses = self.first.ctypes.data, self.rows.ctypes.data


@lru_cache(maxsize=4096)
def _rows(window: AnyWindow | None, available: int, steps: int) -> _Rows:
    """`window` None: a row of its own for each step."""
    return _Rows(same_rows(steps) if window is None else rows_of(window, available, steps))


class _Operand(NamedTuple):
    """What is known of an operand that is not constant, whatever storage it has."""

    tensor: int
    rows: _Rows
    distance: int | None
    """How far below a row of it the output row may start and lie over it; None if it may not."""
    row_bytes: int
    number: int
    """In `RowOp.reads`."""


class KnownOps:
    """What is known of row ops, whatever split they are in. `in_place`: whether rows may be written over others."""

    def __init__(self, in_place: bool = True) -> None:
        self.in_place = in_place
        self._by_op: dict[int, tuple[RowOp, tuple[_Operand, ...]]] = {}
        """By `id`: the row op, which keeps the id from being used again, and its operands."""

    def operands(self, op: RowOp, graph: Graph) -> tuple[_Operand, ...]:
        """The operands of `op` that are not constant."""
        known = self._by_op.get(id(op))
        if known is None:
            known = self._by_op[id(op)] = op, tuple(self._operands(op, graph))
        return known[1]

    def _operands(self, op: RowOp, graph: Graph) -> Iterable[_Operand]:
        for number, read in enumerate(op.reads):
            if not graph.tensors[read.tensor].is_constant:
                rows = _rows(None if op.accumulates else read.window, read.shape.rows, op.steps)
                distance = overlap_distance(op, read, PIECE_ALIGN) if self.in_place else None
                yield _Operand(read.tensor, rows, distance, read.shape.row_bytes, number)


class _Description:
    """A split graph as the arrays that graph.c reads."""

    def __init__(self, split: Split, known: KnownOps) -> None:
        self._split, self._known = split, known
        storages = split.storages.storages
        self._first = list(accumulate((storage.rows for storage in storages), initial=0))
        """By storage: the piece of its row 0."""
        self._parts: dict[Part, int] = {WHOLE: 0}
        self._operands: list[tuple[int, ...]] = []
        ops = [self._row_op(op) for op in split.row_ops]
        stocks, stock_pieces = self._stocks()
        graph = split.graph
        ranges = [
            self._ranges(seen_outside(split)), self._ranges(graph.inputs), self._ranges(graph.outputs),
            self._ranges(may_cross(graph, split.stock)),
        ]  # fmt: skip
        parts = [(0 if p.whole else p.stride, p.low, p.high, p.start, p.stop) for p in self._parts]
        tables: list[object] = [[s.rows for s in storages], [s.row_bytes for s in storages], parts, ops, self._operands]
        self._arrays = [np.array(table, dtype=np.int64) for table in (*tables, stocks, stock_pieces, *ranges)]
        counts = (len(graph.operators), len(storages), len(parts), len(ops), len(stocks), *map(len, ranges))
        self.native = _NativeSplit(*counts, *(array.ctypes.data for array in self._arrays))

    def _row_op(self, op: RowOp) -> tuple[int, ...]:
        """The numbers of `row_op` in graph.c. Adds those of its operands."""
        split, storages = self._split, self._split.storages
        window = storages.windows[op.output]
        partial = window.pixel_stride_bytes or op.output_pixel_stride_bytes
        part = self._part(Part.of(storages.output_view(op))) if partial else 0
        output = self._first[storages.storage_of[op.output]] + window.first_row + op.placement.first_row
        first_operand, bytes_out = len(self._operands), op.output_shape.row_bytes
        operands = self._known.operands(op, split.graph)
        for tensor, rows, distance, row_bytes, number in operands:
            slice_of = storages.windows[tensor]
            piece = self._first[storages.storage_of[tensor]] + slice_of.first_row
            cut = slice_of.pixel_stride_bytes
            read_part = self._part(Part.of(storages.view(tensor, op.reads[number].shape))) if cut else 0
            shared = -1 if distance is None or part or read_part else min(bytes_out - distance, row_bytes)
            self._operands.append((piece, read_part, distance or 0, shared, *rows.addresses))
        sums, over_sums = -1, -1
        if op.sums is not None:
            sums = self._first[storages.storage_of[op.sums]]
            over_sums = bytes_out if self._known.in_place and op.kind is OpKind.CONV_SUM_LAST and not part else -1
        accumulator = op.accumulator_bytes if op.accumulates else -1
        return op.source, op.steps, output, part, accumulator, sums, over_sums, first_operand, len(operands)

    def _part(self, part: Part) -> int:
        return self._parts.setdefault(part, len(self._parts))

    def _stocks(self) -> tuple[list[tuple[int, ...]], list[tuple[int, int]]]:
        """The numbers of `stock` in graph.c, and the ranges of pieces that they name."""
        graph = self._split.graph
        stocks, pieces = list[tuple[int, ...]](), list[tuple[int, int]]()
        for node in sorted(self._split.stock):
            operator, first_read = graph.operators[node], len(pieces)
            pieces += self._ranges(t for t in operator.inputs if t != ABSENT)
            first_write = len(pieces)
            pieces += self._ranges(operator.outputs)
            stocks.append((node, scratch_room_bytes(graph, operator), first_read, first_write, len(pieces)))
        return stocks, pieces

    def _ranges(self, tensors: Iterable[int]) -> list[tuple[int, int]]:
        """The pieces of `tensors`, from and to. Tensors without a storage are passed over."""
        storages = self._split.storages
        ranges = []
        for t in tensors:
            if t in storages.storage_of:
                first, rows = self._first[storages.storage_of[t]], storages.rows_of(t)
                ranges.append((first + rows.start, first + rows.stop))
        return ranges


def built_in_c(library: ctypes.CDLL, split: Split, known: KnownOps) -> StepGraph:
    """The step graph of `split`, which streams neither its input nor its output, and has no states."""
    description = _Description(split, known)
    address = library.tflm_split_build_graph(ctypes.byref(description.native))
    if address is None:
        raise MemoryError
    return _Built(library, address).step_graph()


class _Built:
    """A graph in the memory of C, which is given back when nobody uses this object any more."""

    def __init__(self, library: ctypes.CDLL, address: int) -> None:
        weakref.finalize(self, library.tflm_split_free_graph, ctypes.c_void_p(address)).atexit = False
        self._native = _NativeBuilt.from_address(address)
        self._lists = dict(zip(_LISTS, self._native.list, strict=True))
        self.steps, self.pieces = self._native.graph.steps, self._native.graph.pieces
        self.reference = ctypes.byref(self._native.graph)

    def step_graph(self) -> StepGraph:
        """The graph, whose lists are made when they are asked for."""
        kept = Kept()
        kept.put(step_arrays, self)
        kept.unlisted = {
            "pieces": self._listed_pieces,
            "steps": self._listed_steps,
            "steps_of": lambda: tuple(self._tuples("first_step", "steps_of")),
            "producers": lambda: tuple(self._tuples("first_producer", "producers")),
            "readers": lambda: tuple(self._tuples("first_reader", "readers")),
            "needed": lambda: self._flagged(0, self.steps),
            "initial": lambda: self._flagged(self.steps, self.pieces),
            "final": lambda: self._flagged(self.steps + self.pieces, self.pieces),
            "scratch": lambda: frozenset(self.array("scratch").tolist()),
            "remembered": dict,
        }
        graph = object.__new__(StepGraph)
        object.__setattr__(graph, "nodes", self._native.graph.nodes)
        object.__setattr__(graph, "kept", kept)
        return graph

    def array(self, name: str) -> npt.NDArray[Any]:
        """A copy of one of the lists."""
        if name == "needed":
            return self._flags(0, self.steps)
        if name in ("initial", "final"):
            return self._flags(self.steps + (name == "final") * self.pieces, self.pieces)
        listed = self._lists[name]
        return np.frombuffer(ctypes.string_at(listed.at, 8 * listed.count), dtype=np.int64)

    def _flags(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        return np.frombuffer(ctypes.string_at(self._native.flags + first, count), dtype=np.uint8)

    def _flagged(self, first: int, count: int) -> frozenset[int]:
        return frozenset(np.flatnonzero(self._flags(first, count)).tolist())

    def _tuples(self, first: str, name: str) -> list[tuple[int, ...]]:
        values = self.array(name).tolist()
        return [tuple(values[start:stop]) for start, stop in pairwise(self.array(first).tolist())]

    def _listed_pieces(self) -> tuple[Piece, ...]:
        columns = (self.array(name).tolist() for name in ("piece_storage", "piece_row", "bytes"))
        return tuple(map(Piece, *columns))

    def _listed_steps(self) -> tuple[Step, ...]:
        names = ("overlap_read", "overlap_written", "overlap_distance", "overlap_shared")
        overlaps = list(map(Overlap, *(self.array(name).tolist() for name in names)))
        starts = self.array("first_overlap").tolist()
        ops = (None if op < 0 else op for op in self.array("row_op").tolist())
        return tuple(
            map(
                Step,
                self.array("node").tolist(),
                ops,
                self.array("row").tolist(),
                self._tuples("first_read", "reads"),
                self._tuples("first_write", "writes"),
                self._tuples("first_depends", "depends"),
                (tuple(overlaps[start:stop]) for start, stop in pairwise(starts)),
            )
        )
