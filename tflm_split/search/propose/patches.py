"""Which blocks of operators should run patch by patch: a few rows, or a few rows of some columns, of their result at a time?

What is inside of a block lives while one patch is made, and is made again where the next patch needs it, too (the halo):

    input    [ . . . . . . . . ]
    inside     [ made for this patch, then forgotten ]
    result   [ x x x x | . . . . ]      one patch: `rows` rows of one tile of columns

This is patch-based inference (MCUNetV2, arXiv 2110.15352) for any block of the network, not only for its first layers. Small
patches need least memory and compute most again: the grain, coarse to fine, of MoteNN. Rows outside of blocks stream as ever.

Blocks are made of whatever the axis table can follow, residual joints included. All that lies around the tensors of the peak
are weighed by counting rows and columns; the best few are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import pairwise

from tflm_split.errors import ModelError
from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.rewrite.tile_columns import COLUMNS, Chain, Span, Tiles, can_be_tiled, needs, spans, tile_blocks
from tflm_split.schedule.recomputed import MAX_PATCHES, Patches
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation
from tflm_split.search.limits import Limits

TILES = (1, 2, 3, 4, 6, 8)
"""Numbers of tiles of columns to weigh."""
ROWS = (1, 2, 3, 4, 6, 8, 16)
"""Rows of a patch to weigh."""
MAX_OPERATORS = 24
"""Most operators of a block."""
EVALUATED = 10
"""So many of the weighed patches are proposed, the least estimated peak first."""
ROW_AXIS = 1


@dataclass(frozen=True, slots=True)
class _Block:
    """Operators whose columns can be tiled, the last of which makes the only tensor that others read."""

    operators: tuple[int, ...]
    inner: frozenset[int]
    """The tensors that only the block knows."""


def propose(state: Evaluation, limits: Limits) -> Iterator[Decision]:
    """Patches of the blocks around the tensors that live at the peak, where multiply-accumulates may be done twice."""
    if not limits.patches or not limits.axes >= {"rows", "columns"}:
        return
    allowance = limits.max_instructions - state.instructions
    weighed = _Weighing(state, allowance).all()
    for _, block, tiles, rows in nsmallest(EVALUATED, weighed, key=lambda w: (w[0], w[1].operators, w[2], w[3])):
        decision = in_patches(state, block.operators, tiles, rows)
        if decision is not None and len(decision.patches) <= MAX_PATCHES:
            yield decision


def in_patches(state: Evaluation, operators: tuple[int, ...], tiles: int, rows: int) -> Decision | None:
    """`state`'s decision with a block in patches of `rows` rows of one of `tiles` tiles. None where it has no such tiles."""
    if tiles == 1:
        block = Patches(operators[:-1], operators[-1], rows)
        return replace(state.decision, patches=(*state.decision.patches, block))
    width = state.graph.tensors[state.graph.operators[operators[-1]].outputs[0]].shape[COLUMNS]
    rewrite = Tiles(operators, tuple(width * k // tiles for k in range(tiles)))
    try:
        decision = state.rewritten((rewrite,))
    except ModelError:  # a tile would lie in padding alone
        return None
    after = state.cut_graph.after(rewrite).graph
    tiled = [tuple(block.values()) for block in tile_blocks(state.graph, after, rewrite)]
    blocks = [Patches(block[:-1], block[-1], rows) for block in tiled]
    return replace(decision, patches=(*decision.patches, *blocks))


def blocks_around(graph: Graph, tensors: AbstractSet[int], excluded: AbstractSet[int]) -> Iterator[tuple[int, ...]]:
    """Blocks that know one of `tensors` alone, by their last operator, each one operator longer than the one before.

    None holds an operator of `excluded`.
    """
    producers, consumers = graph.producers(), graph.consumers()
    usable = [op.index not in excluded and can_be_tiled(graph, op) for op in graph.operators]
    parted = [_parted(graph, op) if usable[op.index] else frozenset[int]() for op in graph.operators]
    known = frozenset(graph.outputs)
    for last in graph.operators:
        if not usable[last.index] or graph.tensors[last.outputs[0]].shape[ROW_AXIS] < 2:
            continue
        block, inner = {last.index}, set[int]()
        while len(block) < MAX_OPERATORS:
            read = {t for k in block for t in graph.operators[k].inputs if t != ABSENT}
            makers = [
                producers[t]
                for t in read - inner - known
                if t in producers
                and usable[producers[t]]
                and block.issuperset(consumers[t])
                and all(t in parted[k] for k in consumers[t])
            ]
            if not makers:
                break
            block.add(max(makers))
            inner.add(graph.operators[max(makers)].outputs[0])
            if inner & tensors:
                yield tuple(sorted(block))


def _parted(graph: Graph, op: Operator) -> frozenset[int]:
    """The tensors that `op` reads in parts along rows and along columns, and none of them elsewhere as a whole."""
    rows, columns = (needs(graph, op, axis) for axis in (ROW_AXIS, COLUMNS))
    whole = {t for k, t in enumerate(op.inputs) if k not in rows or k not in columns}
    return frozenset(needed.tensor for needed in rows.values()) - whole


class _Weighing:
    """Estimates the peaks of patches from the rows and columns that they need, without building them."""

    def __init__(self, state: Evaluation, allowance: float) -> None:
        self._state, self._allowance = state, allowance
        self._graph = graph = state.graph
        self._held = state.held_at_peak()
        self._needs = {
            axis: {
                op.index: tuple(needs(graph, op, axis).values()) for op in graph.operators if can_be_tiled(graph, op)
            }
            for axis in (ROW_AXIS, COLUMNS)
        }
        self._costs = dict.fromkeys(range(len(graph.operators)), 0.0)
        for n, cost in state.costs():
            self._costs[n] += cost
        self._whole = frozenset(graph.inputs)
        makers = graph.producers()
        self._groups = {
            t: len(sizes) for t, sizes in state.decision.channel_groups if makers.get(t) in state.decision.recomputed
        }
        """Tensor -> into how many groups of channels it is cut, where only one of them lives at a time."""

    def all(self) -> Iterator[tuple[float, _Block, int, int]]:
        """(Estimated peak, block, tiles, rows) of all patches that may help and are within the allowance."""
        decision = self._state.decision
        taken = {n for block in decision.patches for n in (*block.inner, block.last)}
        excluded = self._state.split.stock | taken
        for operators in blocks_around(self._graph, self._held.keys(), excluded):
            inner = frozenset(self._graph.operators[k].outputs[0] for k in operators[:-1])
            block = _Block(operators, inner)
            yield from self._of(block)

    def _of(self, block: _Block) -> Iterator[tuple[float, _Block, int, int]]:
        graph = self._graph
        result = graph.operators[block.operators[-1]].outputs[0]
        _, height, width, _ = graph.tensors[result].shape
        # Patches of all rows of a tile are the coarsest grain; without tiles there is nothing to gain by them.
        rows_of = {rows: self._rows(block, rows, height) for rows in (*(n for n in ROWS if n < height), height)}
        for tiles in (n for n in TILES if n <= width):
            columns, made_columns = self._columns(block, tiles, width)
            for rows, (needed, made_rows) in rows_of.items():
                extra = sum(
                    self._costs[k] * (made_rows[t] * made_columns[t] - 1)
                    for k in block.operators[:-1]
                    for t in graph.operators[k].outputs
                )
                if extra > self._allowance or (tiles == 1 and rows == height):
                    continue
                peak = self._peak(block, needed, columns, rows)
                if peak < self._state.live_peak_bytes:
                    yield peak, block, tiles, rows

    def _chain(self, block: _Block, axis: int) -> Chain:
        return [(self._graph.operators[k].outputs[0], self._needs[axis][k]) for k in block.operators]

    def _rows(self, block: _Block, rows: int, height: int) -> tuple[Mapping[int, int], Mapping[int, float]]:
        """By tensor: the rows that a patch in the middle needs, and how many times each row is made."""
        middle = height // rows // 2 * rows
        needed = spans(self._chain(block, ROW_AXIS), (middle, min(middle + rows, height)))
        patches = -(-height // rows)
        counts = {t: high - low for t, (low, high) in needed.items()}
        return counts, {t: max(n * patches / self._graph.tensors[t].shape[ROW_AXIS], 1.0) for t, n in counts.items()}

    def _columns(self, block: _Block, tiles: int, width: int) -> tuple[Mapping[int, int], Mapping[int, float]]:
        """By tensor: the most columns that a tile needs, and how many times each column is made."""
        chain = self._chain(block, COLUMNS)
        edges = [width * k // tiles for k in range(tiles + 1)]
        all_spans: list[Mapping[int, Span]] = [spans(chain, made) for made in pairwise(edges)]
        widths = {t: [of_tile[t][1] - of_tile[t][0] for of_tile in all_spans] for t in all_spans[0]}
        return {t: max(w) for t, w in widths.items()}, {
            t: sum(w) / self._graph.tensors[t].shape[COLUMNS] for t, w in widths.items()
        }

    def _peak(self, block: _Block, rows: Mapping[int, int], columns: Mapping[int, int], made: int) -> float:
        """About the bytes alive at the peak with the block in patches: what it knows alone, in place of what it held."""
        graph, held = self._graph, self._held
        result = graph.operators[block.operators[-1]].outputs[0]
        peak = sum(n for t, n in held.items() if t not in block.inner)
        windows: dict[int, int] = {}
        for k in block.operators:
            for operand in self._needs[ROW_AXIS][k]:
                window = operand.window
                # While it waits for its last rows, it keeps those that it shares with the next one.
                kept = max((window.kernel - 1) * window.dilation + 1 - window.stride, 1)
                windows[operand.tensor] = max(windows.get(operand.tensor, 0), kept)
        for t, n in rows.items():
            tensor = graph.tensors[t]
            row = tensor.bytes // tensor.shape[ROW_AXIS]
            if t in block.inner:
                peak += min(n, windows[t]) * (row * columns[t] // tensor.shape[COLUMNS]) // self._groups.get(t, 1)
            elif t == result:
                peak += (made - 1) * row
            elif t not in self._whole:
                peak += max(n * row - held.get(t, 0), 0)
        return peak
