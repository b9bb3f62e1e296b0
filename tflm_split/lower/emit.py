"""Schedule and layout -> programs: for every region, its steps in order, with the addresses of their pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tflm_split.errors import InternalError, Refusal
from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import STATE_ALIGN
from tflm_split.lower.place import SLOW_BASE
from tflm_split.plan.problem import Layout
from tflm_split.plan.problem import Move as SpanMove
from tflm_split.program.types import Fill, Io, Move, Op, Program, Step, Storage, View
from tflm_split.schedule.lives import TENSOR_ALIGN, Bodies
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.split.regions import Split
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RowShape


@dataclass(frozen=True, slots=True)
class Region:
    """Operators `nodes` that are replaced by one call. `inputs` and `outputs` are the tensors TFLM sees at its border.

    The workspace starts at `workspace_offset` of the head. Addresses in `program` count from there.
    """

    nodes: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    workspace_offset: int
    program: Program
    output_storages: tuple[int | None, ...] = ()
    """By output: its storage in `program`, or None if no op of the region touches it. The replay needs it."""


def region_runs(order: Sequence[int], stock: frozenset[int]) -> tuple[tuple[int, ...], ...]:
    """Cuts an order of operators at its stock operators: the runs in between, each as long as possible."""
    runs: list[list[int]] = []
    open_run = False
    for node in order:
        if node in stock:
            open_run = False
        elif open_run:
            runs[-1].append(node)
        else:
            runs.append([node])
            open_run = True
    return tuple(map(tuple, runs))


def border(graph: Graph, nodes: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(inputs, outputs) of a run of operators: the activations that cross its border, in order of first use."""
    inside = set(nodes)
    consumers = graph.consumers()
    made = {t for n in nodes for t in graph.operators[n].outputs} | {state.before for state in graph.states}
    inputs: dict[int, None] = {}
    outputs: dict[int, None] = {}
    for n in nodes:
        op = graph.operators[n]
        for t in op.inputs:
            if t >= 0 and t not in made and not graph.tensors[t].is_constant:
                inputs.setdefault(t)
    for n in nodes:
        for t in graph.operators[n].outputs:
            if t in graph.outputs or any(c not in inside for c in consumers.get(t, ())):
                outputs.setdefault(t)
    return tuple(inputs), tuple(outputs)


def tensor_offset(split: Split, bodies: Bodies, layout: Layout, first_piece: Mapping[int, int], tensor: int) -> int:
    """Head offset of a tensor that TFLM sees, or its address in the slow memory. Its storage is contiguous.

    Raises Refusal if the tensor's rows are interleaved with others', as in a concatenation that is written in place. Such
    a candidate is then dropped.
    """
    storages = split.storages
    storage = storages.storages[storages.storage_of[tensor]]
    window = storages.windows[tensor]
    if window.pixel_stride_bytes:
        raise Refusal("concatenation", f"tensor {tensor} is seen by TFLM, but would be a slice of a concatenation")
    place = bodies.placements[first_piece[storage.index]]
    return layout.addresses[place.body] + window.first_row * storage.row_bytes


def emit_region(
    split: Split,
    step_graph: StepGraph,
    nodes: Sequence[int],
    steps: Sequence[int],
    bodies: Bodies,
    layout: Layout,
    contiguous: frozenset[int],
    first_position: int = 0,
    slow_bytes: int = 0,
) -> Region:
    """The program of one region. `steps` are its steps in order, as indices into the step graph.

    The first of them has position `first_position` among the steps of all regions, which share a slow memory of `slow_bytes`.
    """
    graph = split.graph
    first_piece = piece_index(step_graph)
    inputs, outputs = border(graph, nodes)
    # A RESHAPE and its operand are the same bytes, so they count as one input.
    inputs = tuple({(split.storages.storage_of[t], split.storages.rows_of(t)): t for t in reversed(inputs)}.values())[
        ::-1
    ]
    address = {p: layout.addresses[place.body] + place.offset for p, place in bodies.placements.items()}
    touched = {p for s in steps for p in (*step_graph.steps[s].reads, *step_graph.steps[s].writes)}
    moves = [m for m in layout.moves if first_position <= m.position < first_position + len(steps)]
    piece_moves = list(_piece_moves(step_graph, bodies, address, layout, moves))
    states, fills = _states(graph, step_graph, touched)
    ends = [(address[p], address[p] + step_graph.pieces[p].bytes) for p in touched if p not in step_graph.remembered]
    ends += [(to, to + step_graph.pieces[p].bytes) for _, p, to in piece_moves]
    offsets = {t: tensor_offset(split, bodies, layout, first_piece, t) for t in (*inputs, *outputs)}
    ends += [(offsets[t], offsets[t] + graph.tensors[t].bytes) for t in (*inputs, *outputs)]
    memory = _memory_of(ends, bool(states))
    seen = memory.seen
    address = {p: seen(at) for p, at in address.items()} | {p: memory.bytes + at for p, at in states.items()}
    builder = _Builder(split, step_graph, first_piece, address, touched, contiguous)
    program_steps = tuple(builder.add_steps(steps))
    program = Program(
        memory.bytes,
        tuple(Io(seen(offsets[t]), graph.tensors[t].bytes) for t in inputs),
        tuple(Io(seen(offsets[t]), graph.tensors[t].bytes) for t in outputs),
        tuple(builder.storages),
        tuple(builder.views),
        tuple(builder.ops),
        program_steps,
        tuple(builder.constants),
        tuple(
            Move(position - first_position, builder.storage(piece.storage), piece.row, seen(to))
            for position, piece, to in ((at, step_graph.pieces[p], to) for at, p, to in piece_moves)
        ),
        tuple(_pauses(split, step_graph, steps)),
        fills,
        slow_bytes if memory.is_two else 0,
    )
    output_storages = tuple(builder.known_storage(split.storages.storage_of[t]) for t in outputs)
    return Region(tuple(nodes), inputs, outputs, memory.origin, program, output_storages)


@dataclass(frozen=True, slots=True)
class _Memory:
    """The workspace of a region: `bytes` bytes from `origin` of the head on. `is_two`: some of it lies in the slow memory."""

    origin: int
    bytes: int
    is_two: bool

    def seen(self, address: int) -> int:
        """An address of the layout as the program sees it: the slow memory follows the workspace."""
        return address - self.origin if address < SLOW_BASE else address - SLOW_BASE + self.bytes


def _memory_of(ends: Sequence[tuple[int, int]], keeps_state: bool) -> _Memory:
    """The memory that holds all of these (first address, end)."""
    fast = [end for end in ends if end[0] < SLOW_BASE] or [(0, STATE_ALIGN)]
    is_two = any(low >= SLOW_BASE for low, _ in ends)
    origin = min(low for low, _ in fast) // TENSOR_ALIGN * TENSOR_ALIGN
    nbytes = max(high for _, high in fast) - origin
    return _Memory(origin, nbytes + (-nbytes % STATE_ALIGN if keeps_state or is_two else 0), is_two)


def _states(graph: Graph, step_graph: StepGraph, touched: set[int]) -> tuple[dict[int, int], tuple[Fill, ...]]:
    """(Piece -> its address in the region's state, the state's parts) of all that a region's steps touch.

    Neighbours of one value are one part.
    """
    numbers = sorted({step_graph.remembered[p].state for p in touched if p in step_graph.remembered})
    fills: list[Fill] = []
    start: dict[int, int] = {}
    end = 0
    for number in numbers:
        state = graph.states[number]
        nbytes = graph.tensors[state.before].bytes
        start[number], nbytes = end, nbytes + -nbytes % STATE_ALIGN
        end += nbytes
        if fills and fills[-1].value == state.fill:
            nbytes += fills.pop().bytes
        fills.append(Fill(nbytes, state.fill))
    places = {p: start[at.state] + at.offset for p, at in step_graph.remembered.items() if at.state in start}
    return places, tuple(fills)


def _pauses(split: Split, step_graph: StepGraph, steps: Sequence[int]) -> Iterator[int]:
    """The positions at which a call begins, the first call left out.

    These are the steps that fetch the first row of a call, and those behind a step that emits the last one.
    """
    after_emit = False
    for position, s in enumerate(steps):
        step = step_graph.steps[s]
        op = None if step.row_op is None else split.row_ops[step.row_op]
        if after_emit or (op and op.begins_call(step.row)):
            yield position
        after_emit = op is not None and op.ends_call(step.row)


def _piece_moves(
    step_graph: StepGraph, bodies: Bodies, address: Mapping[int, int], layout: Layout, moves: Sequence[SpanMove]
) -> Iterator[tuple[int, int, int]]:
    """(position, piece, new address) of every row that moves.

    A span of several rows moves row by row. The row nearest to the new address goes first, so none is overwritten.
    """
    pieces_of = bodies.pieces_of()
    where = dict(address)
    for move in moves:
        span, body = bodies.bodies[move.body].spans[move.span], move.body
        rows = [p for p in pieces_of[body] if 0 <= bodies.placements[p].offset - span.offset < span.bytes]
        rows.sort(key=lambda p: bodies.placements[p].offset, reverse=move.address > where[rows[0]])
        for p in rows:
            where[p] = move.address + bodies.placements[p].offset - span.offset
            yield move.position, p, where[p]


def piece_index(step_graph: StepGraph) -> dict[int, int]:
    """Storage -> its first piece (rows follow in order)."""
    first_piece: dict[int, int] = {}
    for p, piece in enumerate(step_graph.pieces):
        first_piece.setdefault(piece.storage, p)
    return first_piece


class _Builder:
    """Collects the ops of a program. Storages, views and constants that several ops use are stored once."""

    def __init__(
        self,
        split: Split,
        step_graph: StepGraph,
        first_piece: Mapping[int, int],
        address: Mapping[int, int],
        touched: set[int],
        contiguous: frozenset[int],
    ) -> None:
        self.split = split
        self.step_graph = step_graph
        self.first_piece = first_piece
        self.address = address
        self.touched = touched
        self.contiguous = contiguous
        self.storages: list[Storage] = []
        self.views: list[View] = []
        self.ops: list[Op] = []
        self.constants: list[bytes] = []
        self._storage_index: dict[tuple[str, int], int] = {}
        self._constant_index: dict[bytes, int] = {}

    def constant(self, data: bytes) -> int:
        if data not in self._constant_index:
            self._constant_index[data] = len(self.constants)
            self.constants.append(data)
        return self._constant_index[data]

    def storage(self, storage: int) -> int:
        """The program's index of a storage of the step graph, or of an accumulator's storage."""
        key = ("pieces", storage)
        if key not in self._storage_index:
            first = self.first_piece[storage]
            if storage < len(self.split.storages.storages):
                rows, row_bytes = (
                    self.split.storages.storages[storage].rows,
                    self.split.storages.storages[storage].row_bytes,
                )
            else:
                rows, row_bytes = 1, self.step_graph.pieces[first].bytes
            addresses = tuple(
                self.address[p] if p in self.touched or storage in self.contiguous else None
                for p in range(first, first + rows)
            )
            self._storage_index[key] = len(self.storages)
            self.storages.append(Storage(row_bytes, rows, addresses))
        return self._storage_index[key]

    def known_storage(self, storage: int) -> int | None:
        """The program's index of a storage, or None if no op uses it."""
        return self._storage_index.get(("pieces", storage))

    def constant_storage(self, tensor: int, shape: RowShape) -> int:
        key = (f"constant as {shape}", tensor)
        if key not in self._storage_index:
            data = self.split.graph.tensors[tensor].data or b""
            self._storage_index[key] = len(self.storages)
            self.storages.append(Storage(shape.row_bytes, shape.rows, (), self.constant(data)))
        return self._storage_index[key]

    def view(self, view: View) -> int:
        if view not in self.views:
            self.views.append(view)
        return self.views.index(view)

    def read(self, read: Read) -> int:
        shape = read.shape
        if self.split.graph.tensors[read.tensor].is_constant:
            storage = self.constant_storage(read.tensor, shape)
            return self.view(
                View(storage, 0, shape.rows, shape.columns, shape.channels, shape.pixel_bytes, 0, shape.element_bytes)
            )
        seen = self.split.storages.view(read.tensor, shape)
        return self.view(
            View(
                self.storage(seen.storage), seen.first_row, shape.rows, shape.columns, shape.channels,
                seen.pixel_stride_bytes, seen.offset_bytes, shape.element_bytes,
            )
        )  # fmt: skip

    def output(self, op: RowOp) -> int:
        seen, shape = self.split.storages.output_view(op), op.output_shape
        return self.view(
            View(
                self.storage(seen.storage), seen.first_row, shape.rows, shape.columns, shape.channels,
                seen.pixel_stride_bytes, seen.offset_bytes, shape.element_bytes,
            )
        )  # fmt: skip

    def add_steps(self, steps: Sequence[int]) -> Iterator[Step]:
        """The steps of the program, in order. Adds each op with its first step."""
        op_of: dict[int, int] = {}
        for s in steps:
            step = self.step_graph.steps[s]
            if step.row_op is None:
                raise InternalError(f"stock operator {step.node} is inside a region")
            if step.row_op not in op_of:
                op_of[step.row_op] = self.add_op(self.split.row_ops[step.row_op], step.row_op)
            yield Step(op_of[step.row_op], step.row)

    def add_op(self, op: RowOp, index: int) -> int:
        params: dict[str, int | float] = {
            name: self.constant(value) if isinstance(value, bytes) else value for name, value in op.params.items()
        }
        accumulator = None
        if op.accumulates:
            storage = self.storage(len(self.split.storages.storages) + index)
            accumulator = self.view(
                View(storage, 0, 1, 1, op.accumulator_bytes // 4, 4 * (op.accumulator_bytes // 4), 0, 4)
            )
        elif op.kind is OpKind.CONV_SUM:
            accumulator = self.output(op)
        elif op.sums is not None:
            accumulator = self.read(Read(op.sums, replace(op.output_shape, element_bytes=4)))
        inputs = [self.read(r) for r in op.reads]
        self.ops.append(
            Op(
                OpKind(op.kind),
                self.output(op),
                inputs[0],
                params,
                inputs[1] if len(inputs) > 1 else None,
                accumulator,
                self.split.graph.label(self.split.graph.operators[op.source]),
            )
        )
        return len(self.ops) - 1
