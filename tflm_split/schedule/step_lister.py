"""The step graph of a split graph, step by step. `step_builder.py` says when it is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tflm_split.analysis.tflm_planner import scratch_room_bytes
from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT
from tflm_split.kinds import OpKind
from tflm_split.schedule.step_graph import PIECE_ALIGN, Overlap, Piece, Remembered, Step, StepGraph
from tflm_split.split.crossing import may_cross
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.regions import Split
from tflm_split.split.row_op import AnyWindow, RowOp
from tflm_split.split.rows import Window
from tflm_split.split.storage import StorageView


def list_steps(split: Split, in_place: bool = True) -> StepGraph:
    """The step graph of `split`. With `in_place` False, no step may write over a row that it reads for the last time."""
    builder = _Builder(split, in_place)
    for index, op in enumerate(split.row_ops):
        if op.fetches:
            builder.add_fetches(index, op)
        elif op.emits:
            builder.add_emits(index, op)
        else:
            builder.add_rows(index, op)
    for node in sorted(split.stock):
        builder.add_stock(node)
    return builder.finish()


class _Builder:
    """The pieces and steps so far, and which step touches which part of which piece."""

    def __init__(self, split: Split, in_place: bool) -> None:
        self.split, self.in_place = split, in_place
        self.pieces: list[Piece] = []
        self.first_piece: list[int] = []
        """By storage: the piece of its row 0."""
        for storage in split.storages.storages:
            self.first_piece.append(len(self.pieces))
            self.pieces.extend(Piece(storage.index, r, storage.row_bytes) for r in range(storage.rows))
        self.remembered = dict(self._remembered())
        for p in self.remembered:
            self.pieces[p] = self.pieces[p]._replace(bytes=0)
        self.fixed = {**self._pieces_of_all(seen_outside(split)), **dict.fromkeys(self.remembered)}
        self.scratch: list[int] = []
        self.streams: set[int] = set()
        """Nodes whose steps must all be done: their rows come whether anybody reads them or not."""
        self.emitted: list[int] = []
        """The pieces of the last call's rows of a streamed output, which outlive the last step."""
        self.steps: list[_Draft] = []
        self.writers: dict[int, list[tuple[int, Part]]] = {}

    def add_rows(self, index: int, op: RowOp) -> None:
        """Add every step of row op `index`.

        An accumulator is a piece of its own. The first step writes it, the others read it, and the last one writes the
        output row.
        """
        target = self.split.storages.output_view(op)
        out_first = self.first_piece[target.storage] + target.first_row
        out_part = Part.of(target)
        activations = self._activations(op, out_part)
        if not op.accumulates and op.sums is None:
            self._add_plain_rows(index, op, activations, out_first, out_part)
            return
        steps, accumulates, accumulator = op.steps, op.accumulates, len(self.pieces)
        if accumulates:
            self.pieces.append(Piece(len(self.split.storages.storages) + index, 0, op.accumulator_bytes))
        sums = self.first_piece[self.split.storages.storage_of[op.sums]] if op.sums is not None else None
        for row in range(steps):
            out = out_first + (0 if accumulates else row)
            read = [(a.part, a.pieces_of(row)) for a in activations]
            pairs = [o for a, (_, pieces) in zip(activations, read, strict=True) for o in a.overlaps(pieces, out)]
            reads, writes, depends = [p for _, pieces in read for p in pieces], [out], tuple[int, ...]()
            if accumulates:
                writes = writes if row == steps - 1 else []
                if row:
                    reads.append(accumulator)
                    depends = (len(self.steps) - 1,)
                else:
                    writes = [*writes, accumulator]
            if sums is not None:
                reads.append(sums + row)
                # This dependency comes first, so that streaming lets the rows of earlier groups die before it makes those
                # that this step reads.
                depends = (self.writers[sums + row][-1][0],)
                pairs += _over_sums(op, sums + row, out_first + row, out_part) if self.in_place else ()
            for p in writes:
                part = out_part if p != accumulator else WHOLE
                self.writers.setdefault(p, []).append((len(self.steps), part))
            overlaps = _usable(pairs, self.fixed) if pairs else ()
            unique = tuple(dict.fromkeys(reads))
            self.steps.append((op.source, index, row, unique, tuple(writes), depends, overlaps, read))

    def add_fetches(self, index: int, op: RowOp) -> None:
        """Add every step of row op `index`, which takes in the rows of a streamed input, in order.

        The rows of the first call exist at the start. Those of each later call are born in the step that fetches its first.
        """
        rows_per_call = op.rows_of_call.rows
        incoming = self.first_piece[self.split.storages.storage_of[op.reads[0].tensor]]
        target = self.split.storages.output_view(op)
        out_first, out_part = self.first_piece[target.storage] + target.first_row, Part.of(target)
        for row in range(op.steps):
            slot = row % rows_per_call
            writes = [out_first + row]
            if op.begins_call(row):
                brought = range(len(self.pieces), len(self.pieces) + rows_per_call)
                self.pieces.extend(self.pieces[incoming + k] for k in range(rows_per_call))
                incoming = brought.start
                writes += brought
            for p in writes:
                part = out_part if p == out_first + row else WHOLE
                self.writers.setdefault(p, []).append((len(self.steps), part))
            depends = (len(self.steps) - 1,) if row else ()
            reads = (incoming + slot,)
            self.steps.append((op.source, index, row, reads, tuple(writes), depends, (), [(WHOLE, list(reads))]))
        self.streams.add(op.source)

    def add_emits(self, index: int, op: RowOp) -> None:
        """Add every step of row op `index`, which hands over the rows of a streamed output, in order.

        The step that emits the last row of a call reads the others, so that they live until the caller takes them.
        """
        (activation,) = self._activations(op, WHOLE)
        rows_per_call, steps = op.rows_of_call.rows, op.steps
        first = self.first_piece[self.split.storages.storage_of[op.output]]
        slots = [first + k for k in range(rows_per_call)]
        for row in range(steps):
            slot = row % rows_per_call
            if slot == 0 and row:
                slots = list(range(len(self.pieces), len(self.pieces) + rows_per_call))
                self.pieces.extend(self.pieces[first + k] for k in range(rows_per_call))
            read = [(activation.part, activation.pieces_of(row))]
            if op.ends_call(row):
                read.append((WHOLE, slots[:slot]))
            depends = (len(self.steps) - 1,) if row else ()
            reads = tuple(dict.fromkeys(p for _, pieces in read for p in pieces))
            self.writers.setdefault(slots[slot], []).append((len(self.steps), WHOLE))
            self.steps.append((op.source, index, row, reads, (slots[slot],), depends, (), read))
        self.emitted = [*self.emitted, *slots[: (steps - 1) % rows_per_call + 1]]
        self.streams.add(op.source)

    def _add_plain_rows(
        self, index: int, op: RowOp, activations: Sequence[_Activation], out_first: int, out_part: Part
    ) -> None:
        """Add the steps of a row op that makes each output row in one step."""
        source, fixed, writers, steps = op.source, self.fixed, self.writers, self.steps
        overlapping = [k for k, a in enumerate(activations) if a.shared_bytes is not None]
        one = activations[0] if len(activations) == 1 else None
        for row, out in enumerate(range(out_first, out_first + op.output_shape.rows)):
            if one is not None:
                pieces = one.pieces_of(row)
                read, reads = [(one.part, pieces)], tuple(pieces)
            else:
                read = [(a.part, a.pieces_of(row)) for a in activations]
                reads = tuple(dict.fromkeys([p for _, pieces in read for p in pieces]))
            overlaps: tuple[Overlap, ...] = ()
            if overlapping and out not in fixed:
                overlaps = _usable([o for k in overlapping for o in activations[k].overlaps(read[k][1], out)], fixed)
            writers.setdefault(out, []).append((len(steps), out_part))
            steps.append((source, index, row, reads, (out,), (), overlaps, read))

    def add_stock(self, node: int) -> None:
        """Add the one step of a stock operator, and a piece for its scratch."""
        operator = self.split.graph.operators[node]
        reads = self._pieces_of_all(t for t in operator.inputs if t != ABSENT)
        writes = self._pieces_of_all(operator.outputs)
        scratch_bytes = scratch_room_bytes(self.split.graph, operator)
        if scratch_bytes:
            self.scratch.append(len(self.split.storages.storages) + len(self.split.row_ops) + node)
            writes[len(self.pieces)] = None
            self.pieces.append(Piece(self.scratch[-1], 0, scratch_bytes))
        for p in writes:
            self.writers.setdefault(p, []).append((len(self.steps), WHOLE))
        self.steps.append((node, None, 0, tuple(reads), tuple(writes), (), (), [(WHOLE, list(reads))]))

    def finish(self) -> StepGraph:
        """Find what each step depends on, and index steps by node and by piece."""
        graph, stock = self.split.graph, self.split.stock
        whole = {p: [s for s, _ in writers] for p, writers in self.writers.items()}
        steps = [
            Step(node, op, row, reads, writes, self._depends(s, depends, read, whole), overlaps)
            for s, (node, op, row, reads, writes, depends, overlaps, read) in enumerate(self.steps)
        ]
        steps_of: list[list[int]] = [[] for _ in graph.operators]
        producers: list[list[int]] = [[] for _ in self.pieces]
        readers: list[list[int]] = [[] for _ in self.pieces]
        for s, step in enumerate(steps):
            steps_of[step.node].append(s)
            for p in step.writes:
                producers[p].append(s)
            for p in step.reads:
                readers[p].append(s)
        streamed = {op.output for op in self.split.row_ops if op.emits}
        after = [state.after for state in graph.states]
        kept = self._pieces_of_all([*(t for t in graph.outputs if t not in streamed), *after])
        final = frozenset((*kept, *self.emitted))
        crossing = self._pieces_of_all(may_cross(graph, stock))
        needed = _needed(steps, producers, final.union(crossing), stock | self.streams)
        if graph.states:
            steps = _updated_last(steps, self._overwritten(producers, readers), needed)
        return StepGraph(
            len(graph.operators),
            tuple(self.pieces),
            tuple(steps),
            tuple(map(tuple, steps_of)),
            tuple(map(tuple, producers)),
            tuple(map(tuple, readers)),
            frozenset(self._pieces_of_all([*graph.inputs, *(state.before for state in graph.states)])),
            final,
            frozenset(self.scratch),
            needed,
            self.remembered,
        )

    def _remembered(self) -> Iterator[tuple[int, Remembered]]:
        """The pieces of every state, with their places in it."""
        storages = self.split.storages
        for number, state in enumerate(self.split.graph.states):
            for tensor in (state.before, state.after):
                if tensor not in storages.storage_of:
                    continue
                storage = storages.storages[storages.storage_of[tensor]]
                for k, row in enumerate(storages.rows_of(tensor)):
                    yield self.first_piece[storage.index] + row, Remembered(number, k * storage.row_bytes)

    def _overwritten(
        self, producers: Sequence[Sequence[int]], readers: Sequence[Sequence[int]]
    ) -> dict[int, dict[int, None]]:
        """By step that writes into a state: the steps that read the bytes it writes over."""
        storages = self.split.storages.storages
        old: dict[int, list[tuple[int, int, int]]] = {}
        for p, at in self.remembered.items():
            if not producers[p]:
                old.setdefault(at.state, []).append(
                    (at.offset, at.offset + storages[self.pieces[p].storage].row_bytes, p)
                )
        waits: dict[int, dict[int, None]] = {}
        for p, at in self.remembered.items():
            end = at.offset + storages[self.pieces[p].storage].row_bytes
            for s in producers[p]:
                waits[s] = {
                    r: None
                    for low, high, q in old.get(at.state, ())
                    if low < end and at.offset < high
                    for r in readers[q]
                    if r != s
                }
        return waits

    def _depends(
        self, s: int, known: tuple[int, ...], read: _Reading, writers: Mapping[int, Sequence[int]]
    ) -> tuple[int, ...]:
        """The steps that `s` depends on: those known already, and those that write what it reads.

        `writers` are the steps that write each piece, whatever part of it.
        """
        if not known and len(read) == 1 and read[0][0].whole:  # by far the most common: kept short
            depends = dict.fromkeys([w for p in read[0][1] for w in writers.get(p, ())])
            depends.pop(s, None)
            return tuple(depends)
        depends = dict.fromkeys(known)
        for part, pieces in read:
            for p in pieces:
                if part.whole:
                    for w in writers.get(p, ()):
                        depends[w] = None
                else:
                    depends.update(dict.fromkeys(w for w, other in self.writers.get(p, ()) if part.meets(other)))
        if s in depends and s not in known:
            del depends[s]
        return tuple(depends)

    def _activations(self, op: RowOp, out_part: Part) -> list[_Activation]:
        """The operands of `op` that are not constant. `out_part` is the part of a row that it writes."""
        activations = []
        for read in op.reads:
            if self.split.graph.tensors[read.tensor].is_constant:
                continue
            view = self.split.storages.view(read.tensor, read.shape)
            distance = overlap_distance(op, read, PIECE_ALIGN) if self.in_place else None
            first = self.first_piece[view.storage] + view.first_row
            rows = same_rows(op.steps) if op.accumulates else rows_of(read.window, read.shape.rows, op.steps)
            part = Part.of(view)
            in_place = distance is not None and part.whole and out_part.whole
            shared = min(op.output_shape.row_bytes - (distance or 0), read.shape.row_bytes) if in_place else None
            activations.append(_Activation(rows, first, part, distance or 0, shared))
        return activations

    def _pieces_of_all(self, tensors: Iterable[int]) -> dict[int, None]:
        """All pieces of `tensors`, in order, as the keys of a dict. Tensors without a storage are passed over."""
        storages = self.split.storages
        return {
            self.first_piece[storages.storage_of[t]] + r: None
            for t in tensors
            if t in storages.storage_of
            for r in storages.rows_of(t)
        }


@dataclass(frozen=True, slots=True)
class _Activation:
    """An operand of a row op that is not constant."""

    rows: Sequence[Sequence[int]]
    """By step: the rows that it reads."""
    first: int
    """The piece of its row 0."""
    part: Part
    """The part of each piece that is read."""
    distance_bytes: int
    """How far below a row of it the output row may start and lie over it."""
    shared_bytes: int | None
    """How many bytes the two then share. None: the output row may not lie over it."""

    def pieces_of(self, row: int) -> list[int]:
        """The pieces that step `row` reads."""
        first = self.first
        return [first + r for r in self.rows[row]]

    def overlaps(self, pieces: Sequence[int], written: int) -> list[Overlap]:
        """The ways in which piece `written` may be written over one of `pieces`, which its step reads."""
        if self.shared_bytes is None:
            return []
        return [Overlap(p, written, self.distance_bytes, self.shared_bytes) for p in pieces]


@lru_cache(maxsize=1024)
def same_rows(steps: int) -> tuple[tuple[int, ...], ...]:
    """A row of its own for each step."""
    return tuple((row,) for row in range(steps))


def rows_of(window: AnyWindow, available: int, steps: int) -> tuple[tuple[int, ...], ...]:
    """By step: the rows that it reads. Kept for plain windows, which are asked for again and again."""
    if isinstance(window, Window):
        return _rows_of_window(window, available, steps)
    return tuple(tuple(window.rows(row, available)) for row in range(steps))


@lru_cache(maxsize=4096)
def _rows_of_window(window: Window, available: int, steps: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(window.rows(row, available)) for row in range(steps))


def seen_outside(split: Split) -> set[int]:
    """Tensors whose rows cannot be placed one by one, because TFLM sees them whole."""
    graph = split.graph
    seen = {*graph.inputs, *graph.outputs, *may_cross(graph, split.stock)}
    for k in split.stock:
        seen.update((*graph.operators[k].inputs, *graph.operators[k].outputs))
    return seen


def _over_sums(op: RowOp, sums: int, written: int, part: Part) -> tuple[Overlap, ...]:
    """The row of sums that becomes the output row may be written in place, at distance 0.

    It is requantised pixel by pixel from the left, and an output pixel has a quarter of the bytes of its sums.
    """
    last = op.kind is OpKind.CONV_SUM_LAST and part.whole
    return (Overlap(sums, written, 0, op.output_shape.row_bytes),) if last else ()


def _usable(pairs: Sequence[Overlap], fixed: Collection[int]) -> tuple[Overlap, ...]:
    """`pairs` without those of `fixed` pieces, most bytes shared first."""
    movable = [o for o in pairs if o.read not in fixed and o.written not in fixed]
    if len(movable) > 1:
        movable.sort(key=lambda o: -o.shared_bytes)
    return tuple(movable)


def _updated_last(steps: Sequence[Step], waits: Mapping[int, Mapping[int, None]], needed: frozenset[int]) -> list[Step]:
    """The same steps, where each of `waits` comes after those needed ones that it waits for, too.

    Raises Refusal where two of them would wait for each other.
    """
    updated = list(steps)
    for s, others in waits.items():
        depends = dict.fromkeys([*steps[s].depends, *(r for r in others if r in needed)])
        updated[s] = steps[s]._replace(depends=tuple(depends))
    waiting = {s: len(step.depends) for s, step in enumerate(updated)}
    followers: dict[int, list[int]] = {}
    for s, step in enumerate(updated):
        for d in step.depends:
            followers.setdefault(d, []).append(s)
    ready = [s for s, count in waiting.items() if count == 0]
    done = 0
    while ready:
        done += 1
        for s in followers.get(ready.pop(), ()):
            waiting[s] -= 1
            if waiting[s] == 0:
                ready.append(s)
    if done < len(updated):
        raise Refusal("state", "what it remembers would be written over before it is read")
    return updated


def _needed(
    steps: Sequence[Step], producers: Sequence[Sequence[int]], final: frozenset[int], always: frozenset[int]
) -> frozenset[int]:
    """The steps of the nodes `always`, those that write `final` pieces, and all that these depend on."""
    needed: set[int] = set()
    todo = [s for p in sorted(final) for s in producers[p]]
    todo += [s for s, step in enumerate(steps) if step.node in always]
    while todo:
        s = todo.pop()
        if s in needed:
            continue
        needed.add(s)
        step = steps[s]
        todo.extend(step.depends)
    return frozenset(needed)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of a row that a view touches: bytes [low, high) of every pixel of `stride` bytes in [start, stop).

    A slice of the channels touches these bytes of three pixels:

        |..####..|..####..|..####..|
    """

    whole: bool
    stride: int = 0
    low: int = 0
    high: int = 0
    start: int = 0
    stop: int = 0

    @staticmethod
    def of(view: StorageView) -> Part:
        """The part that `view` sees of each row of its storage."""
        shape = view.shape
        if view.pixel_stride_bytes == shape.pixel_bytes and view.whole_rows:
            return WHOLE
        low = view.offset_bytes % view.pixel_stride_bytes
        stop = view.offset_bytes + (shape.columns - 1) * view.pixel_stride_bytes + shape.pixel_bytes
        return Part(False, view.pixel_stride_bytes, low, low + shape.pixel_bytes, view.offset_bytes, stop)

    def meets(self, other: Part) -> bool:
        """Whether the two may share a byte."""
        if self.whole or other.whole or self.stride != other.stride:
            return True
        return self.low < other.high and other.low < self.high and self.start < other.stop and other.start < self.stop


WHOLE = Part(True)

_Reading = list[tuple[Part, list[int]]]
"""Pieces that a step reads, and which part of each."""
_Draft = tuple[int, int | None, int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[Overlap, ...], _Reading]
"""The fields of a `Step`, and what it reads. It does not depend yet on the steps that write what it reads."""
