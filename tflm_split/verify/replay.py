"""Does every step of a program find, in memory, exactly the rows it needs?

`replay` runs a program on abstract memory: every byte of the workspace carries a tag that says which byte of which row
of which storage was last written there. A read of a row must find that row's own tags; a write puts them; a move takes
along what lies there. What a step reads is worked out here from the views and parameters alone, and shares no code with
what made the plan. A program that passes cannot have an overlap, a row freed too early, a missing step, or an address
that is off; one that fails is a mistake of this package and is never written out.

What one step may share with the rows it reads is the kernels' promise in `split_nn/split_nn.h`:

1. Kernels go through the pixels of the output row in increasing order and may write any part of a pixel before they
   have read all of its window. So an output pixel may lie on input that only windows of earlier pixels read.
2. `ADD, SUB, MUL, MINIMUM, MAXIMUM, SQUARED_DIFFERENCE, PRELU, SOFTMAX`, `LUT` with one-byte entries, of int16 and
   float `BINARY`, `UNARY` between elements of one size and `SOFTMAX`, and `PAD` as a plain copy may write exactly the
   row they read.
3. `DEPTHWISE` with multiplier 1 and pools, of any type, whose window has one column, without stride or padding
   along columns, may write exactly one of the rows they read.
4. `QUANTIZE_FLOAT` may start at the address it reads if its output pixels are not further apart than its input's.
5. `TRANSPOSE_CONV`, `RESIZE_NEAREST`, `RESIZE_BILINEAR`, `GATHER`, `DEPTH_TO_SPACE`, `PIXEL_SUM`, `BATCH_MATMUL`
   and `TRANSPOSE` may write on no row they read.

An accumulator overlaps no other row of its step, and a feed's output does not overlap the row it takes in. Ops that share
sums take them up one from the other, in the order in which the program lists them, row for row. The output row of
`CONV_SUM_LAST`, which is written after all sums are complete, may start where its sums do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InternalError
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.program.types import Io, Move, Op, Program, Step, View

Int64s = npt.NDArray[np.int64]

NOTHING = -1
"""The tag of a byte that holds nothing a step may read."""

_BINARY = (
    OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.MINIMUM, OpKind.MAXIMUM, OpKind.SQUARED_DIFFERENCE, OpKind.PRELU,
    OpKind.BINARY_INT16, OpKind.BINARY_FLOAT,
)  # fmt: skip
_DEPTHWISE = (OpKind.DEPTHWISE, OpKind.DEPTHWISE_INT16, OpKind.DEPTHWISE_FLOAT)
_POOLS = (OpKind.AVERAGE_POOL, OpKind.MAX_POOL, OpKind.POOL_INT16, OpKind.POOL_FLOAT)
_WINDOWS = (
    OpKind.CONV,
    OpKind.CONV_SUM,
    OpKind.CONV_SUM_LAST,
    OpKind.CONV_INT16,
    OpKind.CONV_FLOAT,
    *_DEPTHWISE,
    *_POOLS,
)
_APART = (
    OpKind.TRANSPOSE_CONV, OpKind.RESIZE_NEAREST, OpKind.RESIZE_BILINEAR, OpKind.GATHER, OpKind.DEPTH_TO_SPACE,
    OpKind.PIXEL_SUM, OpKind.BATCH_MATMUL, OpKind.TRANSPOSE,
)  # fmt: skip
_SUMS = (OpKind.CONV_SUM, OpKind.CONV_SUM_LAST)
_FEEDS = (
    OpKind.SUM_FEED, OpKind.DENSE_FEED, OpKind.SUM_FEED_INT16, OpKind.DENSE_FEED_INT16, OpKind.SUM_FEED_FLOAT,
    OpKind.DENSE_FEED_FLOAT,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a program that passed has done to memory."""

    steps: int
    row_reads_checked: int
    bytes_checked: int
    max_step_bytes: int
    """Most bytes one step reads and writes."""
    peak_workspace_bytes: int
    """One more than the highest workspace byte that is an input or is written."""


def replay(program: Program, output_storages: Sequence[int | None] = ()) -> ReplayReport:
    """The report, if every read finds its data; raises InternalError with the first violation otherwise.

    `output_storages` says which storage each output is in, where that is known: addresses alone do not tell two outputs
    from one that lies on top of the other.
    """
    return _Replay(program, output_storages).run()


@dataclass(frozen=True, slots=True)
class _Layout:
    """The bytes of one row that a view shows, in column, channel order; `end` is past the last of them."""

    offsets: Int64s
    start: int
    end: int
    contiguous: bool


@dataclass(frozen=True, slots=True)
class _Access:
    """One row of a view in the workspace: its first address, its layout, and the tag of the row's byte 0."""

    view: View
    layout: _Layout
    row: int
    address: int
    tag: int

    @property
    def span(self) -> tuple[int, int]:
        return self.address + self.layout.start, self.address + self.layout.end

    def index(self) -> slice | Int64s:
        if self.layout.contiguous:
            return slice(*self.span)
        return self.layout.offsets + self.address

    def overlaps(self, other: _Access) -> bool:
        (a, b), (c, d) = self.span, other.span
        return a < d and c < b


class _Replay:
    def __init__(self, program: Program, output_storages: Sequence[int | None]) -> None:
        self.program = program
        self.output_storages = output_storages
        self.memory: Int64s = np.full(program.workspace_bytes, NOTHING, np.int64)
        # Tags number all bytes of all storages one after the other, then those of the accumulators, each op's own.
        self.first_tags: list[int] = []
        self.names: list[str] = []
        next_tag = 0
        for s, storage in enumerate(program.storages):
            self.first_tags.append(next_tag)
            self.names.append(f"storage {s}")
            next_tag += storage.row_count * storage.row_bytes
        self.accumulator_tags: dict[int, int] = {}
        for k, op in enumerate(program.ops):
            if op.accumulator is not None:
                self.accumulator_tags[k] = next_tag
                self.first_tags.append(next_tag)
                self.names.append(f"the accumulator of op {k}")
                storage = program.storages[program.views[op.accumulator].storage]
                next_tag += storage.row_bytes * (storage.row_count if op.kind in _SUMS else 1)
        self.sums_before: dict[int, int] = {}  # the op that had its turn with the same sums before this one
        turns: dict[int, int] = {}
        for k, op in enumerate(program.ops):
            if op.kind in _SUMS and op.accumulator is not None:
                if op.accumulator in turns:
                    self.sums_before[k] = turns[op.accumulator]
                turns[op.accumulator] = k
        self.moved: dict[tuple[int, int], int] = {}  # by storage and row: where the latest move has put it
        self.layouts = [_layout(view) for view in program.views]
        self.fed = [0] * len(program.ops)
        self.where = "before the first step"
        self.row_reads = self.bytes_checked = self.max_step_bytes = self.peak = 0

    def run(self) -> ReplayReport:
        for i, io in enumerate(self.program.inputs):
            self._tag_input(i, io)
        moves = iter(self.program.moves)
        move = next(moves, None)
        for i, step in enumerate(self.program.steps):
            while move and move.step == i:
                self._move(move)
                move = next(moves, None)
            self._step(i, step)
        if move:
            self._fail(f"a move comes before step {move.step}, and none of the steps left has that number")
        self.where = "after the last step"
        for i, io in enumerate(self.program.outputs):
            self._check_output(i, io)
        return ReplayReport(len(self.program.steps), self.row_reads, self.bytes_checked, self.max_step_bytes, self.peak)

    # The interface.

    def _tag_input(self, index: int, io: Io) -> None:
        """An input's storage is the one no op writes whose rows lie one after the other from the input's address."""
        if io.address < 0 or io.address + io.bytes > len(self.memory):
            self._fail(f"input {index} lies outside the workspace of {len(self.memory)} bytes")
        written = {self.program.views[op.output].storage for op in self.program.ops} | {
            self.program.views[op.accumulator].storage for op in self.program.ops if op.accumulator is not None
        }
        matches = [
            s
            for s, storage in enumerate(self.program.storages)
            if s not in written
            and storage.row_count * storage.row_bytes == io.bytes
            and any(address is not None for address in storage.addresses)
            and all(a is None or a == io.address + r * storage.row_bytes for r, a in enumerate(storage.addresses))
        ]
        if len(matches) > 1:
            self._fail(f"input {index} is storage {matches[0]} and storage {matches[1]} at once")
        region = self.memory[io.address : io.address + io.bytes]
        if (region != NOTHING).any():
            self._fail(f"input {index} lies on another input")
        for s in matches:
            region[:] = np.arange(self.first_tags[s], self.first_tags[s] + io.bytes)
        self.peak = max(self.peak, io.address + io.bytes)

    def _check_output(self, index: int, io: Io) -> None:
        """An output's bytes are those of one whole storage, in order."""
        if io.address < 0 or io.address + io.bytes > len(self.memory):
            self._fail(f"output {index} lies outside the workspace of {len(self.memory)} bytes")
        found = self.memory[io.address : io.address + io.bytes]
        owner = self._owner(int(found[0]))
        if owner is None or owner[1] >= len(self.program.storages):
            self._fail(f"output {index} starts with {self._describe(int(found[0]))}")
        wanted = self.output_storages[index] if index < len(self.output_storages) else None
        if wanted not in (None, owner[1]):
            self._fail(f"output {index} is storage {wanted}, but holds {self._describe(int(found[0]))}")
        storage = self.program.storages[owner[1]]
        if storage.row_count * storage.row_bytes != io.bytes:
            self._fail(f"output {index} has {io.bytes} bytes and starts with {self._describe(int(found[0]))}")
        expected = np.arange(self.first_tags[owner[1]], self.first_tags[owner[1]] + io.bytes)
        self._compare(f"output {index}", found, expected, np.arange(io.address, io.address + io.bytes))
        self.bytes_checked += io.bytes

    # The steps.

    def _step(self, number: int, step: Step) -> None:
        if not 0 <= step.op < len(self.program.ops):
            self.where = f"step {number}"
            self._fail(f"there is no op {step.op}")
        op = self.program.ops[step.op]
        self.where = f"step {number}, row {step.row} of op {step.op} {op.kind.name}"
        if op.kind in _FEEDS:
            self._feed(step, op)
        elif op.kind in _SUMS:
            self._sum(step, op)
        else:
            self._compute(step, op)

    def _move(self, move: Move) -> None:
        self.where = f"the move of row {move.row} of storage {move.storage} before step {move.step}"
        storage = self.program.storages[move.storage]
        source = self._row_address(move.storage, move.row)
        for address in (source, move.address):
            if address is None or not 0 <= address <= len(self.memory) - storage.row_bytes:
                self._fail(f"it goes from {source} to {move.address} in a workspace of {len(self.memory)} bytes")
        assert source is not None
        row = self.memory[source : source + storage.row_bytes].copy()
        self.memory[move.address : move.address + storage.row_bytes] = row
        self.moved[move.storage, move.row] = move.address
        self.peak = max(self.peak, move.address + storage.row_bytes)

    def _row_address(self, storage: int, row: int) -> int | None:
        """Where the row is now."""
        return self.moved.get((storage, row), self.program.storages[storage].addresses[row])

    def _compute(self, step: Step, op: Op) -> None:
        output = self._access(op.output, step.row, "writes")
        if output is None:
            self._fail("it writes into a constant")
        touched = len(output.layout.offsets)
        for view, row in _rows_read(self.program, op, step.row):
            read = self._access(view, row, "reads")
            if read is None:
                continue
            self._check_read(read)
            touched += len(read.layout.offsets)
            if read.overlaps(output):
                self._check_overlap(op, output, read)
        self._write(output)
        self.max_step_bytes = max(self.max_step_bytes, touched)

    def _feed(self, step: Step, op: Op) -> None:
        if step.row != self.fed[step.op]:
            self._fail(f"it takes in row {step.row} when row {self.fed[step.op]} is next")
        self.fed[step.op] += 1
        source = self._access(op.input, step.row, "reads")
        accumulator = self._access(op.accumulator, 0, "writes", tag=self.accumulator_tags[step.op])
        if accumulator is None:
            self._fail("its accumulator lies in a constant")
        touched = 2 * len(accumulator.layout.offsets)
        if step.row > 0:
            self._check_read(accumulator)
        if source is not None:
            self._check_read(source)
            touched += len(source.layout.offsets)
            if source.overlaps(accumulator):
                self._fail("its accumulator lies on the row it takes in")
        self._write(accumulator)
        if step.row + 1 == self.program.views[op.input].row_count:
            output = self._access(op.output, 0, "writes")
            if output is None:
                self._fail("it writes into a constant")
            if output.overlaps(accumulator) or (source is not None and output.overlaps(source)):
                self._fail("its output lies on its accumulator or on the last row it takes in")
            self._write(output)
            touched += len(output.layout.offsets)
        self.max_step_bytes = max(self.max_step_bytes, touched)

    def _sum(self, step: Step, op: Op) -> None:
        """Sums bear the tags of the op that added to them last."""
        sums = self._access(op.accumulator, step.row, "writes", tag=0)
        output = self._access(op.output, step.row, "writes")
        if sums is None or output is None:
            self._fail("it writes into a constant")
        row_bytes = self.program.storages[sums.view.storage].row_bytes
        touched = 2 * len(sums.layout.offsets)
        if not int(op.params["flags"]) & WeightFlags.FIRST:
            before = self.sums_before.get(step.op)
            if before is None:
                self._fail("no op before it has begun its sums")
            self._check_read(replace(sums, tag=self.accumulator_tags[before] + sums.row * row_bytes))
        for view, row in _rows_read(self.program, op, step.row):
            read = self._access(view, row, "reads")
            if read is None:
                continue
            self._check_read(read)
            touched += len(read.layout.offsets)
            if read.overlaps(sums) or read.overlaps(output):
                self._fail("its sums or its output lie on a row it reads")
        self._write(replace(sums, tag=self.accumulator_tags[step.op] + sums.row * row_bytes))
        if op.kind is OpKind.CONV_SUM_LAST:
            dense = sums.layout.contiguous and output.layout.contiguous
            if output.overlaps(sums) and not (dense and output.span[0] == sums.span[0]):
                self._fail("its output lies on its sums and does not start with them")
            self._write(output)
            touched += len(output.layout.offsets)
        self.max_step_bytes = max(self.max_step_bytes, touched)

    def _access(self, view_index: int | None, row: int, verb: str, tag: int | None = None) -> _Access | None:
        """Row `row` of a view; None when it lies in a constant, where nothing can be overwritten."""
        assert view_index is not None
        view = self.program.views[view_index]
        storage = self.program.storages[view.storage]
        if not 0 <= row < view.row_count:
            self._fail(f"it {verb} row {row} of view {view_index}, which has {view.row_count}")
        if storage.constant is not None:
            return None
        storage_row = view.first_row + row
        address = self._row_address(view.storage, storage_row)
        if address is None:
            self._fail(f"it {verb} row {storage_row} of storage {view.storage}, which has no address")
        layout = self.layouts[view_index]
        if layout.start < 0 or layout.end > storage.row_bytes:
            self._fail(f"it {verb} bytes {layout.start} to {layout.end} of a row of {storage.row_bytes}")
        if address < 0 or address + layout.end > len(self.memory):
            self._fail(
                f"it {verb} up to address {address + layout.end}, outside the workspace of {len(self.memory)} bytes"
            )
        if tag is None:
            tag = self.first_tags[view.storage] + storage_row * storage.row_bytes
        return _Access(view, layout, storage_row, address, tag)

    def _check_read(self, read: _Access) -> None:
        index = read.index()
        found = self.memory[index]
        expected = read.layout.offsets + read.tag
        self.row_reads += 1
        self.bytes_checked += len(expected)
        self._compare("it", found, expected, read.layout.offsets + read.address)

    def _compare(self, who: str, found: Int64s, expected: Int64s, addresses: Int64s) -> None:
        if not np.array_equal(found, expected):
            i = int(np.flatnonzero(found != expected)[0])
            self._fail(
                f"{who} needs {self._describe(int(expected[i]))} at address {int(addresses[i])}, "
                f"which holds {self._describe(int(found[i]))}"
            )

    def _write(self, written: _Access) -> None:
        self.memory[written.index()] = written.layout.offsets + written.tag
        self.peak = max(self.peak, written.span[1])

    def _check_overlap(self, op: Op, output: _Access, read: _Access) -> None:
        """The write must not reach a byte of the read before its last use in the kernel's order (top of this file)."""
        if _may_share(op, output, read):
            return
        low, high = read.span
        written_in = np.full(high - low, np.iinfo(np.int64).max)  # by byte of the read row's span: the output column
        columns = np.arange(output.view.column_count, dtype=np.int64)
        out_addresses = output.layout.offsets + output.address - low
        inside = (out_addresses >= 0) & (out_addresses < high - low)
        written_in[out_addresses[inside]] = np.repeat(columns, _pixel_bytes(output.view))[inside]
        last_read_in = np.repeat(_last_read_columns(op, output.view, read.view), _pixel_bytes(read.view))
        lost = written_in[read.layout.offsets + read.address - low] <= last_read_in
        if lost.any():
            address = int(read.layout.offsets[np.flatnonzero(lost)[0]]) + read.address
            self._fail(
                f"it overwrites address {address}, in row {read.row} of storage {read.view.storage}, "
                f"before it has read it for the last time"
            )

    # Words.

    def _owner(self, tag: int) -> tuple[int, int] | None:
        """(the tag's distance from its owner's first, the owner's number) or None."""
        if tag == NOTHING:
            return None
        number = int(np.searchsorted(np.array(self.first_tags), tag, side="right")) - 1
        return tag - self.first_tags[number], number

    def _describe(self, tag: int) -> str:
        owner = self._owner(tag)
        if owner is None:
            return "nothing"
        distance, number = owner
        if number >= len(self.program.storages):
            return f"byte {distance} of {self.names[number]}"
        row, byte = divmod(distance, self.program.storages[number].row_bytes)
        return f"byte {byte} of row {row} of {self.names[number]}"

    def _fail(self, fault: str) -> NoReturn:
        raise InternalError(f"the memory plan is wrong: {self.where}: {fault}")


def _layout(view: View) -> _Layout:
    pixel = np.arange(view.channel_count * view.element_bytes, dtype=np.int64)
    starts = np.arange(view.column_count, dtype=np.int64) * view.pixel_stride_bytes + view.offset_bytes
    offsets = (starts[:, None] + pixel[None, :]).reshape(-1)
    start, end = int(offsets[0]), int(offsets[-1]) + 1
    return _Layout(offsets, start, end, end - start == len(offsets))


def _rows_read(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """(view index, row of that view) for every input row that output row `row` needs; not for feeds."""
    source = program.views[op.input]
    if op.kind is OpKind.TRANSPOSE_CONV:
        for tap in range(source.row_count):
            if (
                0
                <= row + int(op.params["pad_rows"]) - tap * int(op.params["stride_rows"])
                < int(op.params["kernel_rows"])
            ):
                yield op.input, tap
    elif op.kind is OpKind.RESIZE_NEAREST:
        row_map = program.constants[int(op.params["row_map_offset"])]
        yield op.input, int.from_bytes(row_map[2 * row : 2 * row + 2], "little")
    elif op.kind is OpKind.RESIZE_BILINEAR:
        positions = program.constants[int(op.params["row_positions_offset"])]
        position = int.from_bytes(positions[4 * row : 4 * row + 4], "little")
        yield op.input, position >> 10
        if position & 1023:
            yield op.input, (position >> 10) + 1
    elif op.kind is OpKind.BATCH_MATMUL and op.input2 is not None:
        yield op.input, row
        batch, rows = row // int(op.params["left_rows"]), int(op.params["right_rows"])
        for k in range(rows):
            yield op.input2, (batch * rows + k) % program.views[op.input2].row_count
    elif op.kind is OpKind.TRANSPOSE:
        for tap in range(source.row_count):
            if op.params["row_axis"] != 0 or tap == row:
                yield op.input, tap
    elif op.kind is OpKind.DEPTH_TO_SPACE:
        yield op.input, row // int(op.params["block"])
    elif op.kind in _WINDOWS:
        first = row * int(op.params["stride_rows"]) - int(op.params["pad_rows"])
        for k in range(int(op.params["kernel_rows"])):
            tap = first + k * int(op.params["dilation_rows"])
            if 0 <= tap < source.row_count:
                yield op.input, tap
    elif op.kind is OpKind.PAD:
        tap = row - int(op.params["pad_rows"])
        if 0 <= tap < source.row_count:
            yield op.input, tap
    else:
        for index in (op.input, op.input2):
            if index is not None:
                broadcast = program.views[index].row_count == 1 and op.kind in _BINARY
                yield index, 0 if broadcast else row


def _may_share(op: Op, output: _Access, read: _Access) -> bool:
    """Whether the output row may lie where it does on this row by rule 2, 3 or 4 at the top of this file."""
    out, source, params = output.view, read.view, op.params
    if output.span[0] != read.span[0]:
        return False
    if op.kind is OpKind.QUANTIZE_FLOAT:
        return out.pixel_stride_bytes <= source.pixel_stride_bytes or out.column_count == 1
    same_row = (
        (out.column_count, out.channel_count, out.element_bytes)
        == (source.column_count, source.channel_count, source.element_bytes)
    ) and (out.column_count == 1 or out.pixel_stride_bytes == source.pixel_stride_bytes)
    match op.kind:
        case OpKind.SOFTMAX | OpKind.LUT | OpKind.SOFTMAX_INT16 | OpKind.UNARY_INT16 | OpKind.UNARY_FLOAT:
            return same_row
        case kind if kind in _BINARY:
            return same_row
        case OpKind.PAD:
            return same_row and params["pad_columns"] == params["pad_channels"] == 0
        case kind if kind in _DEPTHWISE and params["groups"] != 1:
            return False
        case kind if kind in _DEPTHWISE or kind in _POOLS:
            one_column = params["kernel_columns"] == params["stride_columns"] == 1 and params["pad_columns"] == 0
            return same_row and one_column
        case _:
            return False


def _last_read_columns(op: Op, output: View, read: View) -> Int64s:
    """By input column: the last output column whose window has it; -1 if none has."""
    if op.kind in _APART:
        return np.full(read.column_count, output.column_count, np.int64)
    last = np.full(read.column_count, -1, np.int64)
    for column in range(output.column_count):  # in increasing order, so that the last one stays
        if op.kind in _WINDOWS:
            first = column * int(op.params["stride_columns"]) - int(op.params["pad_columns"])
            taps = [first + k * int(op.params["dilation_columns"]) for k in range(int(op.params["kernel_columns"]))]
        elif op.kind is OpKind.PAD:
            taps = [column - int(op.params["pad_columns"])]
        else:
            taps = [0 if read.column_count == 1 else column]
        last[[tap for tap in taps if 0 <= tap < read.column_count]] = column
    return last


def _pixel_bytes(view: View) -> int:
    return view.channel_count * view.element_bytes
