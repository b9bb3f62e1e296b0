"""The steps of a network and the pieces they read and write: all that scheduling and planning need to know.

A *node* is an operator of the graph; its steps are the rows of its row ops, or one step for a stock operator, which
reads and writes whole tensors. A *piece* is one row of a storage, or one accumulator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tflm_split.ir.graph import ABSENT, Graph
from tflm_split.split.row_op import RowOp
from tflm_split.split.storage import StorageMap


@dataclass(frozen=True, slots=True)
class Piece:
    """Row `row` of storage `storage`; an accumulator is row 0 of a storage of its own (`storage` >= the map's count)."""

    storage: int
    row: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """Row `row` of row op `row_op` (an index into the list of row ops), or a whole stock operator (`row_op` None)."""

    node: int
    row_op: int | None
    row: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    after: int | None = None
    """A step of the same row op that must come first (accumulators take their rows in order)."""
    in_place: tuple[tuple[int, int], ...] = ()
    """(read piece, written piece) pairs that may share one address if the read piece dies here."""


@dataclass(frozen=True, slots=True)
class StepGraph:
    """`producers[p]`: the steps that write piece p. `initial` pieces exist at the start, `final` ones must survive."""

    nodes: int
    pieces: tuple[Piece, ...]
    steps: tuple[Step, ...]
    steps_of: tuple[tuple[int, ...], ...]
    producers: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    initial: frozenset[int]
    final: frozenset[int]
    needed: frozenset[int]
    """Steps whose result reaches an output; a row that a stride skips is never computed."""


def build_step_graph(
    graph: Graph, storages: StorageMap, row_ops: Sequence[RowOp], stock: Sequence[int], in_place: bool = True
) -> StepGraph:
    """The step graph of `graph`, operators of `stock` whole, all others as `row_ops` cut them.

    `in_place` False takes away the option of element-wise steps to overwrite their input.
    """
    pieces: list[Piece] = []
    first_piece: list[int] = []
    for storage in storages.storages:
        first_piece.append(len(pieces))
        pieces.extend(Piece(storage.index, r, storage.row_bytes) for r in range(storage.rows))

    def pieces_of(tensor: int) -> list[int]:
        first = first_piece[storages.storage_of[tensor]]
        return [first + r for r in storages.rows_of(tensor)]

    steps: list[Step] = []
    steps_of: list[list[int]] = [[] for _ in graph.operators]
    for index, op in enumerate(row_ops):
        activations = [
            (read, storages.view(read.tensor, read.shape))
            for read in op.reads
            if not graph.tensors[read.tensor].is_constant
        ]
        out = storages.windows[op.output]
        out_first = first_piece[storages.storage_of[op.output]] + out.first_row + op.placement.first_row
        accumulator = len(pieces)
        if op.accumulates:
            pieces.append(Piece(len(storages.storages) + index, 0, op.accumulator_bytes))
        whole_rows = op.output_pixel_stride_bytes == 0 and out.pixel_stride_bytes == 0
        for row in range(op.steps):
            reads: dict[int, None] = {}
            pairs: list[tuple[int, int]] = []
            for read, view in activations:
                first = first_piece[view.storage] + view.first_row
                rows = range(row, row + 1) if op.accumulates else read.window.rows(row, read.shape.rows)
                for r in rows:
                    reads.setdefault(first + r)
                dense = view.pixel_stride_bytes == view.shape.pixel_bytes
                if in_place and whole_rows and dense and read.may_be_overwritten and len(rows) == 1:
                    pairs.append((first + rows[0], out_first + row))
            if op.accumulates:
                last = row == op.steps - 1
                if row:
                    reads.setdefault(accumulator)
                writes = ((accumulator,) if row == 0 else ()) + ((out_first,) if last else ())
            else:
                writes = (out_first + row,)
            after = len(steps) - 1 if op.accumulates and row else None
            steps_of[op.source].append(len(steps))
            steps.append(Step(op.source, index, row, tuple(reads), writes, after, tuple(pairs)))
    for node in stock:
        operator = graph.operators[node]
        reads_of = {p: None for t in operator.inputs if t in storages.storage_of and t != ABSENT for p in pieces_of(t)}
        writes_of = {p: None for t in operator.outputs if t in storages.storage_of for p in pieces_of(t)}
        steps_of[node].append(len(steps))
        steps.append(Step(node, None, 0, tuple(reads_of), tuple(writes_of)))

    producers: list[list[int]] = [[] for _ in pieces]
    readers: list[list[int]] = [[] for _ in pieces]
    for s, step in enumerate(steps):
        for p in step.writes:
            producers[p].append(s)
        for p in step.reads:
            readers[p].append(s)
    initial = frozenset(p for t in graph.inputs if t in storages.storage_of for p in pieces_of(t))
    final = frozenset(p for t in graph.outputs if t in storages.storage_of for p in pieces_of(t))
    return StepGraph(
        len(graph.operators),
        tuple(pieces),
        tuple(steps),
        tuple(map(tuple, steps_of)),
        tuple(map(tuple, producers)),
        tuple(map(tuple, readers)),
        initial,
        final,
        _needed(steps, producers, final, frozenset(stock)),
    )


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
        if step.after is not None:
            todo.append(step.after)
        for p in step.reads:
            todo.extend(producers[p])
    return frozenset(found)


def node_dependencies(step_graph: StepGraph) -> Mapping[int, frozenset[int]]:
    """Node -> the nodes whose pieces it reads."""
    found: dict[int, set[int]] = {n: set() for n in range(step_graph.nodes)}
    for step in step_graph.steps:
        for p in step.reads:
            for s in step_graph.producers[p]:
                if step_graph.steps[s].node != step.node:
                    found[step.node].add(step_graph.steps[s].node)
    return {n: frozenset(d) for n, d in found.items()}
