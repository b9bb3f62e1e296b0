"""Does every step of a program find, in memory, exactly the rows it needs?

`replay` runs a program on abstract memory: every byte of the workspace carries a tag that says which byte of which row
of which storage was last written there. A read of a row must find that row's own tags; a write puts them; a move takes
along what lies there.

    workspace   0    8    16   24
                r0   r1   r2   .      rows of storage 0, as an input
    step 0      s0   r1   r2   .      reads r0 and r1, writes s0 on r0
    step 1      s0   s1   r2   .      reads r1 and r2, writes s1 on r1: fine; were r0 read again, it would find s0 there

`known/` says which rows a step of each kind reads, and on which of these its output row may lie; `known/sharing.py` has the
rules. It works from views and parameters alone, and shares no code with what made the plan. A program that passes cannot
have an overlap, a row freed too early, a missing step, or an address that is off. One that fails is a mistake of this
package and is never written out.

A state lies behind the workspace. At the start it holds the rows that lie there and that no step writes. In the end every row
that a step has written there must still be there, and they must cover all bytes of which the start held something else: what is
left there is what the next run starts with. A slow memory is more workspace: nothing is in it at the start but inputs.

An accumulator overlaps no other row of its step, and a feed's output does not overlap the row it takes in. Ops that share
sums take them up one from the other, in the order in which the program lists them, row for row. The output row of the op
that completes them may start where its sums do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from tflm_split.errors import InternalError
from tflm_split.program.types import Io, Move, Op, Program, Step, View
from tflm_split.verify import known
from tflm_split.verify.access import Access, Int64s, Layout
from tflm_split.verify.known.entry import Known, Sums
from tflm_split.verify.tags import NOTHING, Tags


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
    slow_read_bytes: int = 0
    """Bytes of rows in the slow memory that steps read, each row once per step."""
    slow_written_bytes: int = 0
    """The same for rows that steps write."""


def replay(program: Program, output_storages: Sequence[int | None] = ()) -> ReplayReport:
    """The report, if every read finds its data; raises InternalError with the first violation otherwise.

    `output_storages` says which storage each output is in, where that is known: addresses alone do not tell two outputs
    from one that lies on top of the other.
    """
    return _Replay(program, output_storages).run()


class _Replay:
    def __init__(self, program: Program, output_storages: Sequence[int | None]) -> None:
        self.program = program
        self.output_storages = output_storages
        self.memory: Int64s = np.full(program.workspace_bytes + program.second_bytes, NOTHING, np.int64)
        self.tags = Tags(program)
        self.known = [known.of(op.kind) for op in program.ops]
        self.sums_before = _sums_before(program, self.known)
        self.moved: dict[tuple[int, int], int] = {}  # by storage and row: where the latest move has put it
        self.layouts = [Layout(view) for view in program.views]
        self.last_read: dict[tuple[int, View], Int64s] = {}  # by op and view read: `Shares.last_read_columns`
        self.fed = [0] * len(program.ops)
        self.steps_done: dict[int, int] = {}  # by op that emits: how many rows it has made
        self.emitted: dict[int, int] = {}  # by op that emits: how many of these were handed over
        self.where = "before the first step"
        self.row_reads = self.bytes_checked = self.max_step_bytes = self.peak = 0
        self.slow_read = self.slow_written = 0

    def run(self) -> ReplayReport:
        for i, io in enumerate(self.program.inputs):
            self._tag_input(i, io)
        self._tag_state()
        moves = iter(self.program.moves)
        move = next(moves, None)
        takes = dict(zip(self.program.pauses, self.program.takes[1:], strict=True))
        for i, step in enumerate(self.program.steps):
            while move and move.step == i:
                self._move(move)
                move = next(moves, None)
            if i in takes:
                self._hand_over(i)
                if takes[i]:
                    self._take_rows(i)
            self._step(i, step)
        if move:
            self._fail(f"a move comes before step {move.step}, and none of the steps left has that number")
        self._hand_over(len(self.program.steps))
        self.where = "after the last step"
        for i, io in enumerate(self.program.outputs):
            if not self._is_emitted(io):
                self._check_output(i, io)
        self._check_state()
        if self.emitted != {k: self._rows(op.input) for k, op in self._emits()}:
            self._fail(f"by op, {self.emitted} rows were handed over")
        return ReplayReport(
            len(self.program.steps),
            self.row_reads,
            self.bytes_checked,
            self.max_step_bytes,
            self.peak,
            self.slow_read,
            self.slow_written,
        )

    # The interface.

    def _tag_input(self, index: int, io: Io) -> None:
        """An input's storage is the one no op writes whose rows lie one after the other from the input's address."""
        if not self.program.holds_interface(io.address, io.address + io.bytes):
            self._fail(f"input {index} lies outside the workspace of {self.program.workspace_bytes} bytes")
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
            region[:] = np.arange(io.bytes) + self.tags.of_row(s, 0)
        if io.address < self.program.workspace_bytes:
            self.peak = max(self.peak, io.address + io.bytes)

    # The state.

    def _state_rows(self) -> Iterator[tuple[int, int, int, bool]]:
        """(storage, row, address, whether a step writes it) of every row that lies in the state."""
        written = {
            (view.storage, view.first_row + (0 if self.known[step.op].feeds else step.row))
            for step in self.program.steps
            for view in (self.program.views[self.program.ops[step.op].output],)
        }
        for s, storage in enumerate(self.program.storages):
            for row, address in enumerate(storage.addresses):
                if address is not None and address >= self.program.workspace_bytes:
                    yield s, row, address, (s, row) in written

    def _tag_state(self) -> None:
        """The state as the run before has left it: the rows there that no step of this run writes."""
        for s, row, address, is_written in self._state_rows() if self.program.fills else ():
            if is_written:
                continue
            row_bytes = self.program.storages[s].row_bytes
            if not self.program.holds(address, address + row_bytes):
                self._fail(f"row {row} of storage {s} lies outside the state of {self.program.state_bytes} bytes")
            region = self.memory[address : address + row_bytes]
            if (region != NOTHING).any():
                self._fail(f"row {row} of storage {s} lies in the state on another row")
            region[:] = np.arange(row_bytes) + self.tags.of_row(s, row)
        self.state_before = self.memory[self.program.workspace_bytes :].copy()

    def _check_state(self) -> None:
        """Every row that a step has written into the state is there, and they replace all that has changed."""
        if not self.program.fills:
            return
        changed = self.memory[self.program.workspace_bytes :] != self.state_before
        for s, row, address, is_written in self._state_rows():
            if not is_written:
                continue
            row_bytes = self.program.storages[s].row_bytes
            expected = np.arange(row_bytes) + self.tags.of_row(s, row)
            addresses = np.arange(address, address + row_bytes)
            self._compare("the next run", self.memory[address : address + row_bytes], expected, addresses)
            start = address - self.program.workspace_bytes
            changed[start : start + row_bytes] = False
        if changed.any():
            self._fail(f"byte {int(np.flatnonzero(changed)[0])} of the state is no row that the next run could read")

    def _take_rows(self, step: int) -> None:
        """Before the next call, the caller writes new rows over those of the call before. Nothing else may lie there."""
        self.where = f"the pause before step {step}"
        for op in self.program.ops:
            if not known.of(op.kind).fetches:
                continue
            storage = self.program.views[op.input].storage
            rows, start = self.program.storages[storage], self.program.storages[storage].addresses[0]
            if start is None or not any(io.address == start for io in self.program.inputs):
                self._fail(f"storage {storage} is fetched from, and is no input")
            nbytes = rows.row_count * rows.row_bytes
            self.memory[start : start + nbytes] = np.arange(nbytes) + self.tags.of_row(storage, 0)

    def _emits(self) -> Iterator[tuple[int, Op]]:
        """The ops whose outputs hold the rows of one call."""
        return ((k, op) for k, op in enumerate(self.program.ops) if self.known[k].emits)

    def _rows(self, view: int) -> int:
        return self.program.views[view].row_count

    def _is_emitted(self, io: Io) -> bool:
        """Whether this output holds the rows of one call."""
        storages = (self.program.storages[self.program.views[op.output].storage] for _, op in self._emits())
        return any(s.addresses[0] == io.address and s.row_count * s.row_bytes == io.bytes for s in storages)

    def _hand_over(self, step: int) -> None:
        """Before a pause, the caller takes the rows of the call, if the step before has made the last of them."""
        self.where = f"the pause before step {step}"
        for k, op in self._emits():
            done, each, rows = self.steps_done.get(k, 0), self._rows(op.output), self._rows(op.input)
            made = done - self.emitted.get(k, 0)
            if made == 0 or (made < each and done < rows):
                continue
            if made > each:
                self._fail(f"op {k} has written {made} rows over {each}")
            storage = self.program.storages[self.program.views[op.output].storage]
            if not any(io.address == storage.addresses[0] for io in self.program.outputs):
                self._fail(f"op {k} emits rows that are no output")
            for row in range(made):
                access = self._access(op.output, row, "hands over")
                if access is None:
                    self._fail(f"op {k} emits rows of a constant")
                self._check_read(access)
            self.emitted[k] = done

    def _check_output(self, index: int, io: Io) -> None:
        """An output's bytes are those of one whole storage, in order."""
        if not self.program.holds_interface(io.address, io.address + io.bytes):
            self._fail(f"output {index} lies outside the workspace of {self.program.workspace_bytes} bytes")
        found = self.memory[io.address : io.address + io.bytes]
        starts_with = self.tags.describe(int(found[0]))
        held = self.tags.storage_of(int(found[0]))
        if held is None:
            self._fail(f"output {index} starts with {starts_with}")
        wanted = self.output_storages[index] if index < len(self.output_storages) else None
        if wanted not in (None, held):
            self._fail(f"output {index} is storage {wanted}, but holds {starts_with}")
        storage = self.program.storages[held]
        if storage.row_count * storage.row_bytes != io.bytes:
            self._fail(f"output {index} has {io.bytes} bytes and starts with {starts_with}")
        expected = np.arange(io.bytes) + self.tags.of_row(held, 0)
        self._compare(f"output {index}", found, expected, np.arange(io.address, io.address + io.bytes))
        self.bytes_checked += io.bytes

    # The steps.

    def _step(self, number: int, step: Step) -> None:
        if not 0 <= step.op < len(self.program.ops):
            self.where = f"step {number}"
            self._fail(f"there is no op {step.op}")
        op, entry = self.program.ops[step.op], self.known[step.op]
        self.where = f"step {number}, row {step.row} of op {step.op} {op.kind.name}"
        if entry.feeds:
            touched = self._feed(step, op)
        elif entry.sums:
            touched = self._sum(step, op, entry.sums)
        elif entry.emits:
            touched = self._emit(step, op)
        else:
            touched = self._compute(step, op)
        self.max_step_bytes = max(self.max_step_bytes, touched)

    def _move(self, move: Move) -> None:
        self.where = f"the move of row {move.row} of storage {move.storage} before step {move.step}"
        storage = self.program.storages[move.storage]
        source = self._row_address(move.storage, move.row)
        for address in (source, move.address):
            if address is None or not 0 <= address <= self.program.workspace_bytes - storage.row_bytes:
                self._fail(
                    f"it goes from {source} to {move.address} in a workspace of {self.program.workspace_bytes} bytes"
                )
        assert source is not None
        row = self.memory[source : source + storage.row_bytes].copy()
        self.memory[move.address : move.address + storage.row_bytes] = row
        self.moved[move.storage, move.row] = move.address
        self.peak = max(self.peak, move.address + storage.row_bytes)

    def _row_address(self, storage: int, row: int) -> int | None:
        """Where the row is now."""
        return self.moved.get((storage, row), self.program.storages[storage].addresses[row])

    def _compute(self, step: Step, op: Op, written_row: int | None = None) -> int:
        """The bytes that the step touches; so for all kinds of step."""
        output = self._write_access(op.output, step.row if written_row is None else written_row)
        touched = len(output.layout.offsets)
        for read in self._checked_reads(step, op):
            touched += len(read.layout.offsets)
            if read.overlaps(output):
                self._check_overlap(step.op, op, output, read)
        self._write(output)
        return touched

    def _emit(self, step: Step, op: Op) -> int:
        done = self.steps_done.get(step.op, 0)
        if step.row != done:
            self._fail(f"it emits row {step.row} when row {done} is next")
        self.steps_done[step.op] = done + 1
        return self._compute(step, op, step.row % self._rows(op.output))

    def _feed(self, step: Step, op: Op) -> int:
        if step.row != self.fed[step.op]:
            self._fail(f"it takes in row {step.row} when row {self.fed[step.op]} is next")
        self.fed[step.op] += 1
        accumulator = self._access(op.accumulator, 0, "writes", tag=self.tags.of_accumulator(step.op, 0))
        if accumulator is None:
            self._fail("its accumulator lies in a constant")
        touched = 2 * len(accumulator.layout.offsets)
        if step.row > 0:
            self._check_read(accumulator)
        sources = list(self._checked_reads(step, op))
        for source in sources:
            touched += len(source.layout.offsets)
            if source.overlaps(accumulator):
                self._fail("its accumulator lies on the row it takes in")
        self._write(accumulator)
        if step.row + 1 == self.program.views[op.input].row_count:
            output = self._write_access(op.output, 0)
            if any(output.overlaps(other) for other in (accumulator, *sources)):
                self._fail("its output lies on its accumulator or on the last row it takes in")
            self._write(output)
            touched += len(output.layout.offsets)
        return touched

    def _sum(self, step: Step, op: Op, rule: Sums) -> int:
        sums, output = self._write_access(op.accumulator, step.row), self._write_access(op.output, step.row)
        row_start = sums.row * self.program.storages[sums.view.storage].row_bytes
        touched = 2 * len(sums.layout.offsets)
        if not rule.begins(op):
            before = self.sums_before.get(step.op)
            if before is None:
                self._fail("no op before it has begun its sums")
            self._check_read(replace(sums, tag=self.tags.of_accumulator(before, row_start)))
        for read in self._checked_reads(step, op):
            touched += len(read.layout.offsets)
            if read.overlaps(sums) or read.overlaps(output):
                self._fail("its sums or its output lie on a row it reads")
        self._write(replace(sums, tag=self.tags.of_accumulator(step.op, row_start)))
        if rule.completes:
            dense = sums.layout.contiguous and output.layout.contiguous
            if output.overlaps(sums) and not (dense and output.span[0] == sums.span[0]):
                self._fail("its output lies on its sums and does not start with them")
            self._write(output)
            touched += len(output.layout.offsets)
        return touched

    def _checked_reads(self, step: Step, op: Op) -> Iterator[Access]:
        """The rows in the workspace that the step reads, each once it has been found to hold what it should."""
        for view, row in self.known[step.op].reads(self.program, op, step.row):
            read = self._access(view, row, "reads")
            if read is not None:
                self._check_read(read)
                yield read

    def _access(self, view_index: int | None, row: int, verb: str, tag: int | None = None) -> Access | None:
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
        if not self.program.holds(address, address + layout.end):
            self._fail(
                f"it {verb} up to address {address + layout.end}, outside the workspace of "
                f"{self.program.workspace_bytes} bytes"
            )
        if tag is None:
            tag = self.tags.of_row(view.storage, storage_row)
        return Access(view, layout, storage_row, address, tag)

    def _write_access(self, view_index: int | None, row: int) -> Access:
        access = self._access(view_index, row, "writes")
        if access is None:
            self._fail("it writes into a constant")
        return access

    def _check_read(self, read: Access) -> None:
        index = read.index()
        found = self.memory[index]
        expected = read.layout.offsets + read.tag
        self.row_reads += 1
        self.bytes_checked += len(expected)
        if self._is_slow(read):
            self.slow_read += len(expected)
        self._compare("it", found, expected, read.layout.offsets, read.address)

    def _compare(self, who: str, found: Int64s, expected: Int64s, addresses: Int64s, base: int = 0) -> None:
        if not np.array_equal(found, expected):
            i = int(np.flatnonzero(found != expected)[0])
            self._fail(
                f"{who} needs {self.tags.describe(int(expected[i]))} at address {base + int(addresses[i])}, "
                f"which holds {self.tags.describe(int(found[i]))}"
            )

    def _write(self, written: Access) -> None:
        self.memory[written.index()] = written.layout.offsets + written.tag
        if written.span[1] <= self.program.workspace_bytes:
            self.peak = max(self.peak, written.span[1])
        elif self._is_slow(written):
            self.slow_written += len(written.layout.offsets)

    def _is_slow(self, access: Access) -> bool:
        return self.program.slow_bytes > 0 and access.address >= self.program.workspace_bytes

    def _check_overlap(self, index: int, op: Op, output: Access, read: Access) -> None:
        """The write must not reach a byte of the read before its last use in the kernel's order (`known/sharing.py`)."""
        shares = self.known[index].shares
        if output.span[0] == read.span[0] and shares.may_replace(op, output.view, read.view):
            return
        key = index, read.view
        if key not in self.last_read:
            self.last_read[key] = shares.last_read_columns(op, output.view, read.view)
        low, high = read.span
        written_in = np.full(high - low, np.iinfo(np.int64).max)  # by byte of the read row's span: the output column
        out_addresses = output.layout.offsets + output.address - low
        inside = (out_addresses >= 0) & (out_addresses < high - low)
        written_in[out_addresses[inside]] = output.layout.columns[inside]
        last_read_in = self.last_read[key][read.layout.columns]
        lost = written_in[read.layout.offsets + read.address - low] <= last_read_in
        if lost.any():
            address = int(read.layout.offsets[np.flatnonzero(lost)[0]]) + read.address
            self._fail(
                f"it overwrites address {address}, in row {read.row} of storage {read.view.storage}, "
                f"before it has read it for the last time"
            )

    def _fail(self, fault: str) -> NoReturn:
        raise InternalError(f"the memory plan is wrong: {self.where}: {fault}")


def _sums_before(program: Program, entries: Sequence[Known]) -> dict[int, int]:
    """By op with shared sums: the op that has its turn with the same sums before it."""
    before: dict[int, int] = {}
    turns: dict[int, int] = {}
    for k, (op, entry) in enumerate(zip(program.ops, entries, strict=True)):
        if entry.sums and op.accumulator is not None:
            if op.accumulator in turns:
                before[k] = turns[op.accumulator]
            turns[op.accumulator] = k
    return before
