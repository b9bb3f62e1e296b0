"""The steps of a network and the pieces they read and write: all that scheduling and planning need to know.

A *node* is an operator of the graph; its steps are the rows of its row ops, or one step for a stock operator, which
reads and writes whole tensors. A *piece* is one row of a storage, one accumulator, or the room a stock operator's kernel
needs for scratch while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tflm_split.analysis.tflm_planner import scratch_room_bytes
from tflm_split.ir.graph import ABSENT
from tflm_split.program.format import OpKind
from tflm_split.split.crossing import may_cross
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.regions import Split
from tflm_split.split.row_op import RowOp
from tflm_split.split.storage import StorageView

PIECE_ALIGN = 4
"""Rows lie on words: the u16 address table counts in them, and word loads work on every core."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Row `row` of storage `storage`; accumulators and scratch are row 0 of storages of their own, after the map's."""

    storage: int
    row: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """If piece `read` dies in this step, piece `written` may start `distance_bytes` below it and share bytes with it."""

    read: int
    written: int
    distance_bytes: int
    shared_bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """Row `row` of row op `row_op` (an index into the list of row ops), or a whole stock operator (`row_op` None)."""

    node: int
    row_op: int | None
    row: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    depends: tuple[int, ...] = ()
    """Steps that must come first: those that write the bytes read here, and an accumulator's previous row."""
    overlaps: tuple[Overlap, ...] = ()
    """Dying rows the output row may run over, most bytes shared first; one of them at most can be used."""


@dataclass(frozen=True, slots=True)
class StepGraph:
    """`producers[p]`: the steps that write (part of) piece p. `initial` pieces exist at the start, `final` ones survive."""

    nodes: int
    pieces: tuple[Piece, ...]
    steps: tuple[Step, ...]
    steps_of: tuple[tuple[int, ...], ...]
    producers: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    initial: frozenset[int]
    final: frozenset[int]
    scratch: frozenset[int]
    """Storages that are scratch of stock operators: TFLM places them itself, we only keep the room free."""
    needed: frozenset[int]
    """Steps whose result reaches an output, a stock operator or another region; a row that a stride skips is left out."""


def build_step_graph(split: Split, in_place: bool = True) -> StepGraph:
    """The steps of `split`: covered operators as their row ops cut them, stock operators whole, with their scratch.

    `in_place` False takes away the option of steps to write over a row they read for the last time.
    """
    graph, storages, row_ops = split.graph, split.storages, split.row_ops
    pieces: list[Piece] = []
    first_piece: list[int] = []
    for storage in storages.storages:
        first_piece.append(len(pieces))
        pieces.extend(Piece(storage.index, r, storage.row_bytes) for r in range(storage.rows))

    def pieces_of(tensor: int) -> list[int]:
        first = first_piece[storages.storage_of[tensor]]
        return [first + r for r in storages.rows_of(tensor)]

    fixed = {p for t in _seen_outside(split) if t in storages.storage_of for p in pieces_of(t)}
    steps: list[Step] = []
    steps_of: list[list[int]] = [[] for _ in graph.operators]
    writers: dict[int, list[tuple[int, _Part]]] = {}
    parts_read: list[list[tuple[int, _Part]]] = []

    def add(step: Step, read: list[tuple[int, _Part]], written: list[tuple[int, _Part]]) -> None:
        for p, part in written:
            writers.setdefault(p, []).append((len(steps), part))
        parts_read.append(read)
        steps_of[step.node].append(len(steps))
        steps.append(step)

    for index, op in enumerate(row_ops):
        activations = [
            (read, storages.view(read.tensor, read.shape))
            for read in op.reads
            if not graph.tensors[read.tensor].is_constant
        ]
        parts = [_Part.of(view) for _, view in activations]
        target = storages.output_view(op)
        out_first = first_piece[target.storage] + target.first_row
        out_part = _Part.of(target)
        accumulator = len(pieces)
        if op.accumulates:
            pieces.append(Piece(len(storages.storages) + index, 0, op.accumulator_bytes))
        distances = [overlap_distance(op, read, PIECE_ALIGN) if in_place else None for read, _ in activations]
        sums = first_piece[storages.storage_of[op.sums]] if op.sums is not None else None
        for row in range(op.steps):
            read_parts: list[tuple[int, _Part]] = []
            pairs: list[Overlap] = []
            for (read, view), part, distance in zip(activations, parts, distances, strict=True):
                first = first_piece[view.storage] + view.first_row
                rows = range(row, row + 1) if op.accumulates else read.window.rows(row, read.shape.rows)
                read_parts.extend((first + r, part) for r in rows)
                if distance is not None and out_part.whole and part.whole:
                    shared = min(op.output_shape.row_bytes - distance, read.shape.row_bytes)
                    pairs.extend(Overlap(first + r, out_first + row, distance, shared) for r in rows)
            reads = [p for p, _ in read_parts]
            written = [(out_first + (0 if op.accumulates else row), out_part)]
            if op.accumulates:
                reads += [accumulator] if row else []
                if row < op.steps - 1:
                    written = []
                if row == 0:
                    written.append((accumulator, _WHOLE))
            depends = (len(steps) - 1,) if op.accumulates and row else ()
            if sums is not None:
                reads.append(sums + row)
                # Before the rows this step reads: they can wait until the rows of earlier groups are gone.
                depends = (writers[sums + row][-1][0],)
                pairs += _over_sums(op, sums + row, out_first + row, out_part) if in_place else ()
            writes = tuple(p for p, _ in written)
            add(
                Step(op.source, index, row, tuple(dict.fromkeys(reads)), writes, depends, _usable(pairs, fixed)),
                read_parts,
                written,
            )
    scratch: list[int] = []
    for node in sorted(split.stock):
        operator = graph.operators[node]
        scratch_bytes = scratch_room_bytes(graph, operator)
        reads_of = {p: None for t in operator.inputs if t in storages.storage_of and t != ABSENT for p in pieces_of(t)}
        writes_of = {p: None for t in operator.outputs if t in storages.storage_of for p in pieces_of(t)}
        if scratch_bytes:
            scratch.append(len(storages.storages) + len(row_ops) + node)
            writes_of[len(pieces)] = None
            pieces.append(Piece(scratch[-1], 0, scratch_bytes))
        step = Step(node, None, 0, tuple(reads_of), tuple(writes_of))
        add(step, [(p, _WHOLE) for p in reads_of], [(p, _WHOLE) for p in writes_of])

    for s, read_parts in enumerate(parts_read):
        found = dict.fromkeys(steps[s].depends)
        for p, part in read_parts:
            found.update(dict.fromkeys(w for w, other in writers.get(p, ()) if w != s and part.meets(other)))
        steps[s] = replace(steps[s], depends=tuple(found))
    producers: list[list[int]] = [[] for _ in pieces]
    readers: list[list[int]] = [[] for _ in pieces]
    for s, step in enumerate(steps):
        for p in step.writes:
            producers[p].append(s)
        for p in step.reads:
            readers[p].append(s)
    initial = frozenset(p for t in graph.inputs if t in storages.storage_of for p in pieces_of(t))
    final = frozenset(p for t in graph.outputs if t in storages.storage_of for p in pieces_of(t))
    crossing = frozenset(p for t in may_cross(graph, split.stock) if t in storages.storage_of for p in pieces_of(t))
    return StepGraph(
        len(graph.operators),
        tuple(pieces),
        tuple(steps),
        tuple(map(tuple, steps_of)),
        tuple(map(tuple, producers)),
        tuple(map(tuple, readers)),
        initial,
        final,
        frozenset(scratch),
        _needed(steps, producers, final | crossing, split.stock),
    )


def _seen_outside(split: Split) -> set[int]:
    """Tensors whose rows cannot move on their own, because TFLM sees them as one."""
    graph = split.graph
    seen = {*graph.inputs, *graph.outputs, *may_cross(graph, split.stock)}
    for k in split.stock:
        seen.update((*graph.operators[k].inputs, *graph.operators[k].outputs))
    return seen


def _over_sums(op: RowOp, sums: int, written: int, part: _Part) -> tuple[Overlap, ...]:
    """The last sums become the output pixel by pixel, each a quarter of its sums' size: they may start together."""
    last = op.kind is OpKind.CONV_SUM_LAST and part.whole
    return (Overlap(sums, written, 0, op.output_shape.row_bytes),) if last else ()


def _usable(pairs: Sequence[Overlap], fixed: set[int]) -> tuple[Overlap, ...]:
    movable = [o for o in pairs if o.read not in fixed and o.written not in fixed]
    return tuple(sorted(movable, key=lambda o: -o.shared_bytes))


def _needed(
    steps: Sequence[Step], producers: Sequence[Sequence[int]], final: frozenset[int], stock: frozenset[int]
) -> frozenset[int]:
    found: set[int] = set()
    todo = [s for p in sorted(final) for s in producers[p]]
    todo += [s for s, step in enumerate(steps) if step.node in stock]
    while todo:
        s = todo.pop()
        if s in found:
            continue
        found.add(s)
        step = steps[s]
        todo.extend(step.depends)
    return frozenset(found)


def node_dependencies(step_graph: StepGraph) -> Mapping[int, frozenset[int]]:
    """Node -> the nodes some step of which must come before one of its own."""
    found: dict[int, set[int]] = {n: set() for n in range(step_graph.nodes)}
    for step in step_graph.steps:
        found[step.node].update(step_graph.steps[d].node for d in step.depends)
    return {n: frozenset(d - {n}) for n, d in found.items()}


@dataclass(frozen=True, slots=True)
class _Part:
    """Which bytes of a row a view touches: bytes [low, high) of every pixel of `stride` bytes, between `start` and `stop`."""

    whole: bool
    stride: int = 0
    low: int = 0
    high: int = 0
    start: int = 0
    stop: int = 0

    @staticmethod
    def of(view: StorageView) -> _Part:
        shape = view.shape
        if view.pixel_stride_bytes == shape.pixel_bytes and view.whole_rows:
            return _WHOLE
        low = view.offset_bytes % view.pixel_stride_bytes
        stop = view.offset_bytes + (shape.columns - 1) * view.pixel_stride_bytes + shape.pixel_bytes
        return _Part(False, view.pixel_stride_bytes, low, low + shape.pixel_bytes, view.offset_bytes, stop)

    def meets(self, other: _Part) -> bool:
        """Whether the two may share a byte."""
        if self.whole or other.whole or self.stride != other.stride:
            return True
        return self.low < other.high and other.low < self.high and self.start < other.stop and other.start < self.stop


_WHOLE = _Part(True)
