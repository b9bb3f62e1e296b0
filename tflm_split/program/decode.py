"""Which program do these bytes hold?

`decode(encode(p)) == p`, but for what bytes do not carry:

* `Op.source` is empty.
* Equal constants become one. Constants are numbered by first use (storages first, then ops), and unused ones are gone.
* In a storage encoded as `AFFINE`, a row without an address gets the address that its neighbours imply.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tflm_split import kinds
from tflm_split.errors import ProgramError
from tflm_split.kinds import OpKind
from tflm_split.kinds.kind import Case
from tflm_split.kinds.limits import CONSTANTS_ALIGNMENT, MAX_BYTES, STORAGE_ALIGNMENT, TABLE16_UNIT
from tflm_split.kinds.record import Record
from tflm_split.program.check import check_program
from tflm_split.program.checksum import check_checksum
from tflm_split.program.format import (
    FILL,
    HEADER,
    IO,
    MAGIC,
    MOVE,
    NO_ADDRESS16,
    NO_ADDRESS32,
    NONE,
    OP,
    PAUSE_BYTES,
    PAUSE_GIVES,
    PAUSE_TAKES,
    STORAGE,
    VERSION,
    VIEW,
    Flags,
    StorageFlags,
    StorageKind,
    bytes_of_moves,
)
from tflm_split.program.types import Fill, Io, Move, Op, Program, Step, Storage, View, first_moves

T = TypeVar("T")


def decode(blob: bytes) -> Program:
    """The program in `blob`. Raises ProgramError, with one sentence, for bytes that are no well-formed program."""
    return _Decoder(bytes(blob)).program()


@dataclass(slots=True)
class _Constants:
    """The constants referred to so far: bytes -> index. Two references to equal bytes are the same constant."""

    blob: bytes
    start: int
    indices: dict[bytes, int] = field(default_factory=dict)

    def take(self, what: str, offset: int, length: int, alignment: int) -> int:
        if offset % alignment:
            raise ProgramError(f"{what} lies at byte {offset}, which is not a multiple of {alignment}")
        if offset < self.start or offset + length > len(self.blob):
            raise ProgramError(
                f"{what} covers bytes {offset} to {offset + length}, outside the constants at {self.start} "
                f"to {len(self.blob)}"
            )
        return self.indices.setdefault(self.blob[offset : offset + length], len(self.indices))


class _Decoder:
    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        if len(blob) < HEADER.size_bytes:
            raise ProgramError(f"the program ends after {len(blob)} bytes, inside its header")
        self.header = {name: int(value) for name, value in HEADER.unpack(blob, 0).items()}
        self._check_header()
        self.constants = _Constants(self.blob, self.header["constants_offset"])
        self.affine: list[int] = []
        """Indices of the storages whose rows follow each other."""
        self.first_moves: dict[int, tuple[int, ...]] = {}
        """Index of a storage whose flags say that its rows move -> its table of first moves."""

    def _check_header(self) -> None:
        header = self.header
        if header["magic"] != MAGIC:
            raise ProgramError("these bytes are not a TFLM_SPLIT program")
        if header["version"] != VERSION:
            raise ProgramError(f"the program has version {header['version']}, and this package reads {VERSION}")
        if header["flags"] & ~int(Flags.WIDE_STEPS | Flags.SLOW_MEMORY):
            raise ProgramError(f"the program has unknown flags {header['flags']:#x}")
        if header["total_bytes"] > min(len(self.blob), MAX_BYTES):
            raise ProgramError(f"the program says it has {header['total_bytes']} bytes, and it has {len(self.blob)}")
        self.blob = self.blob[: header["total_bytes"]]
        io_count = header["input_count"] + header["output_count"]
        parts = (
            ("header", 0, HEADER.size_bytes),
            ("io records", header["io_offset"], IO.size_bytes * io_count),
            ("fill records", header["fills_offset"], FILL.size_bytes * header["fill_count"]),
            ("storage records", header["storages_offset"], STORAGE.size_bytes * header["storage_count"]),
            ("view records", header["views_offset"], VIEW.size_bytes * header["view_count"]),
            ("op records", header["ops_offset"], OP.size_bytes * header["op_count"]),
            ("moves", header["moves_offset"], bytes_of_moves(header["move_count"])),
            ("pauses", header["pauses_offset"], PAUSE_BYTES * header["pause_count"]),
            ("steps", header["steps_offset"], self.step_bytes * header["step_count"]),
            ("constants", header["constants_offset"], 0),
        )
        end = 0
        for name, offset, length in parts:
            if offset % 4:
                raise ProgramError(f"the program's {name} lie at byte {offset}, which is not a multiple of 4")
            if offset < end or offset + length > len(self.blob):
                raise ProgramError(
                    f"the program's {name} cover bytes {offset} to {offset + length}, outside {end} to {len(self.blob)}"
                )
            end = offset + length
        if header["constants_offset"] % CONSTANTS_ALIGNMENT:
            raise ProgramError(
                f"the program's constants lie at byte {header['constants_offset']}, not a multiple of 16"
            )

    @property
    def step_bytes(self) -> int:
        return 4 if self.header["flags"] & Flags.WIDE_STEPS else 2

    def program(self) -> Program:
        header = self.header
        inputs, outputs = header["input_count"], header["output_count"]
        ios = self._records(IO, header["io_offset"], inputs + outputs, lambda _, r: Io(r["address"], r["bytes"]))
        fills = self._records(
            FILL, header["fills_offset"], header["fill_count"], lambda _, r: Fill(r["bytes"], r["value"])
        )
        storages = self._records(STORAGE, header["storages_offset"], header["storage_count"], self._storage)
        views = self._records(VIEW, header["views_offset"], header["view_count"], self._view)
        ops = self._records(OP, header["ops_offset"], header["op_count"], lambda k, r: self._op(k, r, views))
        pauses = struct.unpack_from(f"<{header['pause_count']}I", self.blob, header["pauses_offset"])
        slow_bytes = self._slow_bytes()
        program = Program(
            workspace_bytes=header["workspace_bytes"],
            inputs=ios[:inputs],
            outputs=ios[inputs:],
            storages=storages,
            views=views,
            ops=ops,
            steps=self._steps(),
            constants=tuple(self.constants.indices),
            moves=self._moves(storages),
            pauses=tuple(pause & ~(PAUSE_TAKES | PAUSE_GIVES) for pause in pauses),
            fills=fills,
            slow_bytes=slow_bytes,
        )
        check_program(program)
        for s in self.affine:
            storage = program.storages[s]
            first = storage.addresses[0] or 0
            if not program.holds(first, first + storage.row_bytes * storage.row_count):
                raise ProgramError(f"the rows of storage {s} follow each other from one memory into the other")
        if program.second_bytes != header["second_bytes"]:
            raise ProgramError(
                f"the program says it keeps {header['second_bytes']} bytes, and fills {program.state_bytes}"
            )
        check_checksum(self.blob)
        for stored, pause in zip(pauses, program.pauses_with_flags, strict=True):
            if stored != pause:
                raise ProgramError(f"the pause before step {pause & ~(PAUSE_TAKES | PAUSE_GIVES)} has wrong flags")
        return program

    def _slow_bytes(self) -> int:
        """Bytes of the slow memory; 0 without one."""
        if not self.header["flags"] & Flags.SLOW_MEMORY:
            return 0
        if not self.header["second_bytes"]:
            raise ProgramError("the program has a slow memory of 0 bytes")
        return self.header["second_bytes"]

    def _records(
        self, record: Record, offset: int, count: int, make: Callable[[int, dict[str, int]], T]
    ) -> tuple[T, ...]:
        records = []
        for i in range(count):
            values = {
                name: int(value) for name, value in record.unpack(self.blob, offset + i * record.size_bytes).items()
            }
            if values.get("reserved", 0):
                raise ProgramError(f"the reserved field of {record.name} {i} is {values['reserved']}")
            records.append(make(i, values))
        return tuple(records)

    def _storage(self, index: int, record: dict[str, int]) -> Storage:
        where, row_bytes, row_count = record["where"], record["row_bytes"], record["row_count"]
        name = f"storage {index}"
        if record["kind"] not in set(StorageKind):
            raise ProgramError(f"{name} has the unknown kind {record['kind']}")
        if record["flags"] & ~int(StorageFlags.MOVES):
            raise ProgramError(f"{name} has unknown flags {record['flags']:#x}")
        addresses: tuple[int | None, ...]
        match StorageKind(record["kind"]):
            case StorageKind.CONSTANT:
                if record["flags"]:
                    raise ProgramError(f"{name} moves, and is a constant")
                constant = self.constants.take(name, where, row_bytes * row_count, STORAGE_ALIGNMENT)
                return Storage(row_bytes, row_count, (), constant)
            case StorageKind.AFFINE:
                addresses = tuple(where + row * row_bytes for row in range(row_count))
                self.affine.append(index)
            case StorageKind.TABLE16:
                units = self._table(f"the address table of {name}", where, row_count, "H")
                addresses = tuple(None if u == NO_ADDRESS16 else TABLE16_UNIT * u for u in units)
            case StorageKind.TABLE32:
                words = self._table(f"the address table of {name}", where, row_count, "I")
                addresses = tuple(None if w == NO_ADDRESS32 else w for w in words)
        if record["flags"]:
            entry_bytes = {StorageKind.TABLE16: 2, StorageKind.TABLE32: 4}.get(StorageKind(record["kind"]))
            if entry_bytes is None:
                raise ProgramError(f"{name} moves, and has no address table")
            at = where + entry_bytes * row_count
            self.first_moves[index] = self._table(f"the table of moves of {name}", at, row_count + 1, "H", 2)
        return Storage(row_bytes, row_count, addresses)

    def _table(self, what: str, offset: int, count: int, code: str, alignment: int = 4) -> tuple[int, ...]:
        layout = struct.Struct(f"<{count}{code}")
        self._check_behind_header(what, offset, layout.size, alignment)
        return layout.unpack_from(self.blob, offset)

    def _check_behind_header(self, what: str, offset: int, length: int, alignment: int = 4) -> None:
        """Refuse parameters or an address table that do not lie between the header and the end."""
        start, end = HEADER.size_bytes, len(self.blob)
        if offset % alignment:
            raise ProgramError(f"{what} lies at byte {offset}, which is not a multiple of {alignment}")
        if offset < start or offset + length > end:
            raise ProgramError(f"{what} covers bytes {offset} to {offset + length}, outside {start} to {end}")

    def _view(self, index: int, record: dict[str, int]) -> View:
        del record["reserved"]
        if record["storage"] >= self.header["storage_count"]:
            raise ProgramError(
                f"view {index} names storage {record['storage']}, but there are {self.header['storage_count']}"
            )
        return View(**record)

    def _op(self, index: int, record: dict[str, int], views: tuple[View, ...]) -> Op:
        if record["kind"] not in set(OpKind):
            raise ProgramError(f"op {index} has the unknown kind {record['kind']}")
        kind = OpKind(record["kind"])
        name = f"op {index} {kind.name}"
        for role in ("output", "input"):
            if record[role] >= len(views):
                raise ProgramError(f"{name}: its {role} names view {record[role]}, but there are {len(views)} views")
        rules = kinds.of(kind)
        layout = rules.record
        self._check_behind_header(f"the parameter record of {name}", record["params_offset"], layout.size_bytes)
        params = layout.unpack(self.blob, record["params_offset"])
        case = Case(dict(params), views[record["output"]], views[record["input"]])
        for constant in rules.constants:
            length, offset = rules.constant_bytes(constant.field, case), int(params[constant.field])
            what = f"{constant.field} of {name}"
            params[constant.field] = self.constants.take(what, offset, length, constant.alignment)
        return Op(
            kind=kind,
            output=record["output"],
            input=record["input"],
            params=params,
            input2=None if record["input2"] == NONE else record["input2"],
            accumulator=None if record["accumulator"] == NONE else record["accumulator"],
        )

    def _moves(self, storages: Sequence[Storage]) -> tuple[Move, ...]:
        """The moves in order of execution. Their records must be sorted by row, because the executor searches by row."""
        count, offset = self.header["move_count"], self.header["moves_offset"]
        records = self._records(MOVE, offset, count, lambda _, r: Move(r["step"], r["storage"], r["row"], r["address"]))
        keys = [(m.storage, m.row, m.step) for m in records]
        if any(keys[k] >= keys[k + 1] for k in range(count - 1)):
            raise ProgramError("the program's moves are not in the order of storages, rows and steps")
        order = self._order_of_moves(count, offset + count * MOVE.size_bytes) if count else []
        moved = {m.storage for m in records}
        for s, storage in enumerate(storages):
            if (s in moved) != (s in self.first_moves):
                raise ProgramError(f"storage {s} {'moves' if s in moved else 'does not move'}, unlike its flags say")
            if s in moved and self.first_moves[s] != tuple(first_moves(records, s, storage.row_count)):
                raise ProgramError(f"storage {s} does not say where its moves are")
        return tuple(records[k] for k in order)

    def _order_of_moves(self, count: int, offset: int) -> list[int]:
        """The numbers of the move records in order of execution.

        They are stored as a chain: the first record, and for each record the one after it; `count` ends the chain.
        """
        first, *after = struct.unpack_from(f"<{1 + count}H", self.blob, offset)
        order: list[int] = []
        following = first
        while following < count and len(order) < count:
            order.append(following)
            following = after[following]
        if following != count or len(order) != count:
            raise ProgramError("the order of the program's moves does not name each of them once")
        return order

    def _steps(self) -> tuple[Step, ...]:
        count = self.header["step_count"]
        code = "H" if self.step_bytes == 4 else "B"
        numbers = struct.unpack_from(f"<{2 * count}{code}", self.blob, self.header["steps_offset"])
        return tuple(Step(op, row) for op, row in zip(numbers[::2], numbers[1::2], strict=True))
