"""A program as a value: `encode` turns it into bytes, and `decode` gives it back.

Names and units are those of `format.py`, with one exception. A parameter that is a blob offset in the bytes
(`weights_offset`) is an index into `Program.constants` here; these are raw bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tflm_split import kinds
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import TABLE16_UNIT
from tflm_split.kinds.view import View as View
from tflm_split.program.format import MOVES_BIT, NO_ADDRESS16, PAUSE_GIVES, PAUSE_TAKES, STATE_BIT, StorageKind


@dataclass(frozen=True, slots=True)
class Io:
    """One input or output tensor of the region: a byte range of the workspace, or of the slow memory behind it."""

    address: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Fill:
    """The next `bytes` bytes of the state: each is `value`, 0 to 255, before the first run and after a reset."""

    bytes: int
    value: int


@dataclass(frozen=True, slots=True)
class Storage:
    """`addresses[r]` is the byte offset of row r into workspace and second memory, or None if no step uses that row.

    A constant storage has `constant`, the index of its bytes, and no addresses.
    """

    row_bytes: int
    row_count: int
    addresses: tuple[int | None, ...] = ()
    constant: int | None = None

    @property
    def kind(self) -> StorageKind:
        """The smallest encoding that holds these addresses."""
        if self.constant is not None:
            return StorageKind.CONSTANT
        known = [(r, a) for r, a in enumerate(self.addresses) if a is not None]
        if not known:
            return StorageKind.AFFINE
        row0, first = known[0]
        origin = first - row0 * self.row_bytes
        if origin >= 0 and all(a == origin + r * self.row_bytes for r, a in known):
            return StorageKind.AFFINE
        if all(a % TABLE16_UNIT == 0 and a < TABLE16_UNIT * NO_ADDRESS16 for _, a in known):
            return StorageKind.TABLE16
        return StorageKind.TABLE32


@dataclass(frozen=True, slots=True)
class Op:
    """One op: views by index, and `params`, its record's fields by name.

    A field that names a constant holds an index into `Program.constants`. `source` names the operator of the model that
    the op was made of, for printing; it is not encoded.
    """

    kind: OpKind
    output: int
    input: int
    params: Mapping[str, int | float]
    input2: int | None = None
    accumulator: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Compute row `row` of the op's output view; of a feed: take in row `row` of its input view."""

    op: int
    row: int


@dataclass(frozen=True, slots=True)
class Move:
    """Before step `step`, copy row `row` of storage `storage` to `address`. From then on the row lies there."""

    step: int
    storage: int
    row: int
    address: int


def first_moves(moves: Sequence[Move], storage: int, rows: int) -> list[int]:
    """The table of a storage's first moves, rows + 1 entries.

    Moves are sorted by storage and row. Entry r says how many come before those of row r; the last entry counts the
    storage's last move, too.
    """
    before = sum(m.storage < storage for m in moves)
    of_row = Counter(m.row for m in moves if m.storage == storage)
    return list(accumulate((of_row[row] for row in range(rows)), initial=before))


@dataclass(frozen=True, slots=True)
class Program:
    """The program of one region. `moves` are in order of execution, so sorted by step.

    `pauses` are the steps at which each call after the first one starts; none where the whole input is there at once, and the
    whole output in the end. `fills` make up the state, which lasts from one run to the next. Its addresses begin at
    `workspace_bytes`. So do those of `slow_bytes` of a slow memory; a program has one or the other.
    """

    workspace_bytes: int
    inputs: tuple[Io, ...]
    outputs: tuple[Io, ...]
    storages: tuple[Storage, ...]
    views: tuple[View, ...]
    ops: tuple[Op, ...]
    steps: tuple[Step, ...]
    constants: tuple[bytes, ...] = field(default=(), repr=False)
    moves: tuple[Move, ...] = ()
    pauses: tuple[int, ...] = ()
    fills: tuple[Fill, ...] = ()
    slow_bytes: int = 0

    @property
    def state_bytes(self) -> int:
        """Bytes that keep what they hold from one run to the next."""
        return sum(fill.bytes for fill in self.fills)

    @property
    def first_state(self) -> bytes:
        """The state before the first run."""
        return b"".join(bytes([fill.value]) * fill.bytes for fill in self.fills)

    @property
    def second_bytes(self) -> int:
        """Bytes of the memory behind the workspace: the state, or a slow memory."""
        return self.state_bytes + self.slow_bytes

    def holds(self, start: int, stop: int) -> bool:
        """Whether addresses [start, stop) lie in the workspace, or in the second memory behind it."""
        border = self.workspace_bytes
        return start >= 0 and (stop <= border or (start >= border and stop <= border + self.second_bytes))

    def holds_interface(self, start: int, stop: int) -> bool:
        """Whether an input or output may lie at addresses [start, stop): in the workspace, or in a slow memory."""
        return self.holds(start, stop) and (stop <= self.workspace_bytes or self.slow_bytes > 0)

    @property
    def calls(self) -> tuple[range, ...]:
        """The steps of each call."""
        starts = (0, *self.pauses)
        return tuple(map(range, starts, (*self.pauses, len(self.steps))))

    @property
    def takes(self) -> tuple[bool, ...]:
        """By call: whether it takes in rows of a streamed input. The first call does, if any does."""
        each = {k: self.views[op.input].row_count for k, op in enumerate(self.ops) if kinds.of(op.kind).fetches}

        def begins(step: Step) -> bool:
            return step.op in each and step.row > 0 and step.row % each[step.op] == 0

        return (bool(each), *(any(begins(self.steps[s]) for s in steps) for steps in self.calls[1:]))

    @property
    def gives(self) -> tuple[bool, ...]:
        """By call: whether it hands over rows of a streamed output."""
        of_call = {k: self.whole_and_each(op) for k, op in enumerate(self.ops) if kinds.of(op.kind).emits}

        def ends(step: Step) -> bool:
            rows, each = of_call[step.op]
            return (step.row + 1) % each == 0 or step.row + 1 == rows

        return tuple(any(s.op in of_call and ends(s) for s in self.steps[c.start : c.stop]) for c in self.calls)

    @property
    def brought(self) -> tuple[range, ...]:
        """By call: the rows of the streamed input that it takes in."""
        fetch = next((op for op in self.ops if kinds.of(op.kind).fetches), None)
        return _turns(self.takes, *self.whole_and_each(fetch)) if fetch else (range(0),) * len(self.calls)

    @property
    def handed_over(self) -> tuple[range, ...]:
        """By call: the rows of the streamed output that are there after it."""
        emit = next((op for op in self.ops if kinds.of(op.kind).emits), None)
        return _turns(self.gives, *self.whole_and_each(emit)) if emit else (range(0),) * len(self.calls)

    @property
    def streams_output(self) -> bool:
        """Whether an output holds the rows of one call."""
        return bool(self.pauses) and any(kinds.of(op.kind).emits for op in self.ops)

    @property
    def positions(self) -> tuple[tuple[int, int], ...]:
        """What the operator says after each call: (first row of the output that is there, first row that the next call takes).

        -1 where there is none. After the last call, the next one begins the next inference: it takes row 0.
        """
        following = [rows.start if rows else -1 for rows in self.brought[1:]]
        made = [rows.start if rows else -1 for rows in self.handed_over]
        return tuple(zip(made, (*following, 0), strict=True))

    @property
    def pauses_with_flags(self) -> tuple[int, ...]:
        """The pauses as they are stored: the step, and what the calls before and after it do."""
        calls = zip(self.pauses, self.takes[1:], self.gives, strict=False) if self.pauses else ()
        return tuple(pause | PAUSE_TAKES * takes | PAUSE_GIVES * gives for pause, takes, gives in calls)

    def whole_and_each(self, op: Op) -> tuple[int, int]:
        """All rows of a streamed input or output, and those of one call."""
        read, written = self.views[op.input].row_count, self.views[op.output].row_count
        return (read, written) if kinds.of(op.kind).emits else (written, read)

    def streams_at(self, io: Io, *, output: bool = False) -> tuple[View, int] | None:
        """(The rows of one call, how many rows there are in all) of a streamed input, or `output`; None for one that is whole."""
        for op in self.ops:
            kind = kinds.of(op.kind)
            if not (kind.emits if output else kind.fetches):
                continue
            view = self.views[op.output if output else op.input]
            storage = self.storages[view.storage]
            lies_here = storage.addresses[view.first_row : view.first_row + 1] == (io.address,)
            if lies_here and io.bytes == view.row_count * storage.row_bytes:
                return view, self.whole_and_each(op)[0]
        return None

    def all_rows_bytes(self, io: Io, *, output: bool = False) -> int | None:
        """Bytes of all rows of an input, or `output`, that is streamed; None for one that is there as a whole."""
        found = self.streams_at(io, output=output)
        return self.storages[found[0].storage].row_bytes * found[1] if found else None

    @property
    def moved_storages(self) -> frozenset[int]:
        """Indices of the storages with rows that move."""
        return frozenset(move.storage for move in self.moves)

    def addresses_by_step(self) -> Iterator[list[list[int | None]]]:
        """Per step: where the rows of all storages lie. It is one and the same list, changed from step to step."""
        now = [list(storage.addresses) for storage in self.storages]
        moves = iter(self.moves)
        move = next(moves, None)
        for step in range(len(self.steps)):
            while move and move.step <= step:
                now[move.storage][move.row] = move.address
                move = next(moves, None)
            yield now

    @property
    def kinds_mask(self) -> int:
        """`SPLIT_NN_KINDS` of a build that runs this program only: bit k stands for op kind k."""
        return sum({1 << op.kind for op in self.ops}) + (
            (1 << MOVES_BIT if self.moves else 0) + (1 << STATE_BIT if self.second_bytes else 0)
        )


def _turns(takes_part: Sequence[bool], rows: int, each: int) -> tuple[range, ...]:
    """Per call: the next `each` of `rows` rows if it takes part, else none."""
    turns = accumulate(takes_part, initial=0)
    return tuple(
        range(each * turn, min(each * (turn + 1), rows)) if part else range(0)
        for turn, part in zip(turns, takes_part, strict=False)
    )
