"""The steps of a network and the pieces they read and write: all that scheduling and planning need to know.

A *node* is an operator of the graph; its steps are the rows of its row ops, or one step for a stock operator, which
reads and writes whole tensors. A *piece* is one row of a storage, one accumulator, or the room a stock operator's kernel
needs for scratch while it runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tflm_split.analysis.tflm_planner import scratch_room_bytes
from tflm_split.ir.graph import ABSENT
from tflm_split.kinds import OpKind
from tflm_split.split.crossing import may_cross
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.regions import Split
from tflm_split.split.row_op import Read, RowOp
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
    builder = _Builder(split, in_place)
    for index, op in enumerate(split.row_ops):
        builder.add_rows(index, op)
    for node in sorted(split.stock):
        builder.add_stock(node)
    return builder.finish()


class _Builder:
    """The pieces and steps found so far, and which step touches which part of which piece."""

    def __init__(self, split: Split, in_place: bool) -> None:
        self.split, self.in_place = split, in_place
        self.pieces: list[Piece] = []
        self.first_piece: list[int] = []
        """By storage: its row 0."""
        for storage in split.storages.storages:
            self.first_piece.append(len(self.pieces))
            self.pieces.extend(Piece(storage.index, r, storage.row_bytes) for r in range(storage.rows))
        self.fixed = self._pieces_of_all(_seen_outside(split))
        self.scratch: list[int] = []
        self.steps: list[Step] = []
        self.writers: dict[int, list[tuple[int, _Part]]] = {}
        self.parts_read: list[list[tuple[int, _Part]]] = []
        """By step."""

    def add_rows(self, index: int, op: RowOp) -> None:
        """Every step of row op `index`; an accumulator is a piece of its own, written by the first row, read by the others."""
        activations = self._activations(op)
        target = self.split.storages.output_view(op)
        out_first = self.first_piece[target.storage] + target.first_row
        out_part = _Part.of(target)
        accumulator = len(self.pieces)
        if op.accumulates:
            self.pieces.append(Piece(len(self.split.storages.storages) + index, 0, op.accumulator_bytes))
        sums = self.first_piece[self.split.storages.storage_of[op.sums]] if op.sums is not None else None
        for row in range(op.steps):
            out = out_first + (0 if op.accumulates else row)
            read = [(p, a.part) for a in activations for p in a.pieces_of(op, row)]
            pairs = [o for a in activations for o in a.overlaps(op, row, out, out_part)]
            reads, written, depends = [p for p, _ in read], [(out, out_part)], tuple[int, ...]()
            if op.accumulates:
                written = written if row == op.steps - 1 else []
                if row:
                    reads.append(accumulator)
                    depends = (len(self.steps) - 1,)
                else:
                    written = [*written, (accumulator, _WHOLE)]
            if sums is not None:
                reads.append(sums + row)
                # Before the rows this step reads: they can wait until the rows of earlier groups are gone.
                depends = (self.writers[sums + row][-1][0],)
                pairs += _over_sums(op, sums + row, out_first + row, out_part) if self.in_place else ()
            writes = tuple(p for p, _ in written)
            step = Step(op.source, index, row, tuple(dict.fromkeys(reads)), writes, depends, _usable(pairs, self.fixed))
            self._add(step, read, written)

    def add_stock(self, node: int) -> None:
        """The one step of a stock operator, with a piece for its scratch."""
        operator = self.split.graph.operators[node]
        reads = self._pieces_of_all(t for t in operator.inputs if t != ABSENT)
        writes = self._pieces_of_all(operator.outputs)
        scratch_bytes = scratch_room_bytes(self.split.graph, operator)
        if scratch_bytes:
            self.scratch.append(len(self.split.storages.storages) + len(self.split.row_ops) + node)
            writes[len(self.pieces)] = None
            self.pieces.append(Piece(self.scratch[-1], 0, scratch_bytes))
        step = Step(node, None, 0, tuple(reads), tuple(writes))
        self._add(step, [(p, _WHOLE) for p in reads], [(p, _WHOLE) for p in writes])

    def finish(self) -> StepGraph:
        """Every step with the steps it depends on, by node and by piece."""
        graph, stock = self.split.graph, self.split.stock
        steps = [replace(step, depends=self._depends(s)) for s, step in enumerate(self.steps)]
        steps_of: list[list[int]] = [[] for _ in graph.operators]
        producers: list[list[int]] = [[] for _ in self.pieces]
        readers: list[list[int]] = [[] for _ in self.pieces]
        for s, step in enumerate(steps):
            steps_of[step.node].append(s)
            for p in step.writes:
                producers[p].append(s)
            for p in step.reads:
                readers[p].append(s)
        final = frozenset(self._pieces_of_all(graph.outputs))
        crossing = self._pieces_of_all(may_cross(graph, stock))
        return StepGraph(
            len(graph.operators),
            tuple(self.pieces),
            tuple(steps),
            tuple(map(tuple, steps_of)),
            tuple(map(tuple, producers)),
            tuple(map(tuple, readers)),
            frozenset(self._pieces_of_all(graph.inputs)),
            final,
            frozenset(self.scratch),
            _needed(steps, producers, final.union(crossing), stock),
        )

    def _add(self, step: Step, read: list[tuple[int, _Part]], written: list[tuple[int, _Part]]) -> None:
        for p, part in written:
            self.writers.setdefault(p, []).append((len(self.steps), part))
        self.parts_read.append(read)
        self.steps.append(step)

    def _depends(self, s: int) -> tuple[int, ...]:
        """What step `s` depends on already, and the steps that write what it reads."""
        found = dict.fromkeys(self.steps[s].depends)
        for p, part in self.parts_read[s]:
            found.update(dict.fromkeys(w for w, other in self.writers.get(p, ()) if w != s and part.meets(other)))
        return tuple(found)

    def _activations(self, op: RowOp) -> list[_Activation]:
        """What `op` reads that is not constant."""
        found = []
        for read in op.reads:
            if self.split.graph.tensors[read.tensor].is_constant:
                continue
            view = self.split.storages.view(read.tensor, read.shape)
            distance = overlap_distance(op, read, PIECE_ALIGN) if self.in_place else None
            first = self.first_piece[view.storage] + view.first_row
            found.append(_Activation(read, first, _Part.of(view), distance))
        return found

    def _pieces_of_all(self, tensors: Iterable[int]) -> dict[int, None]:
        """The pieces of those of `tensors` that have any, in order."""
        storages = self.split.storages
        return {
            self.first_piece[storages.storage_of[t]] + r: None
            for t in tensors
            if t in storages.storage_of
            for r in storages.rows_of(t)
        }


@dataclass(frozen=True, slots=True)
class _Activation:
    """One operand of a row op: its first piece, the part of each piece that is read, and how far below it may be written."""

    read: Read
    first: int
    part: _Part
    distance_bytes: int | None

    def pieces_of(self, op: RowOp, row: int) -> list[int]:
        """The pieces that step `row` reads."""
        rows = range(row, row + 1) if op.accumulates else self.read.window.rows(row, self.read.shape.rows)
        return [self.first + r for r in rows]

    def overlaps(self, op: RowOp, row: int, written: int, out_part: _Part) -> list[Overlap]:
        """How piece `written` of step `row` may run over the pieces the step reads."""
        if self.distance_bytes is None or not out_part.whole or not self.part.whole:
            return []
        shared = min(op.output_shape.row_bytes - self.distance_bytes, self.read.shape.row_bytes)
        return [Overlap(p, written, self.distance_bytes, shared) for p in self.pieces_of(op, row)]


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


def _usable(pairs: Sequence[Overlap], fixed: Collection[int]) -> tuple[Overlap, ...]:
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
