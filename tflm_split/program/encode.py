"""What bytes does a program become?

`encode` lays the records out in the order that `format.py` describes. Between them lies only zero padding, up to each
part's alignment. Equal constants, parameter records and address tables are stored once. The same program always gives the
same bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tflm_split import kinds
from tflm_split.errors import InternalError, ProgramError
from tflm_split.kinds.limits import CONSTANTS_ALIGNMENT, STORAGE_ALIGNMENT, TABLE16_UNIT
from tflm_split.program.check import check_program
from tflm_split.program.checksum import UNCHECKED, with_checksum
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
    STORAGE,
    VERSION,
    VIEW,
    Flags,
    StorageFlags,
    StorageKind,
)
from tflm_split.program.types import Move, Op, Program, Storage, first_moves


def encode(program: Program) -> bytes:
    """The bytes of a well-formed program, at most 2 GiB. Raises InternalError when `check_program` refuses it.

    An op's parameters must be exactly the fields of its record. A field that names a constant holds the constant's index
    in `program.constants`.
    """
    try:
        check_program(program)
        return _encode(program)
    except ProgramError as fault:
        raise InternalError(f"a program of ours is malformed: {fault}") from fault
    except struct.error as fault:
        raise InternalError(f"a program of ours has a value that does not fit its field: {fault}") from fault


def storage_kind(program: Program, index: int) -> StorageKind:
    """The smallest encoding of a storage's addresses.

    It is not `AFFINE` where rows move, nor where that would put an unused row outside of the workspace.
    """
    storage = program.storages[index]
    kind = storage.kind
    if kind is not StorageKind.AFFINE:
        return kind
    origin = _origin(storage)
    inside = program.holds(origin, origin + storage.row_count * storage.row_bytes)
    if inside and index not in program.moved_storages:
        return kind
    small = all(a is None or (a % TABLE16_UNIT == 0 and a < TABLE16_UNIT * NO_ADDRESS16) for a in storage.addresses)
    return StorageKind.TABLE16 if small else StorageKind.TABLE32


def wide_steps(program: Program) -> bool:
    """Whether a step takes two u16 instead of two u8: an op or row number is above 255."""
    return len(program.ops) > 256 or any(step.row > 255 for step in program.steps)


@dataclass(slots=True)
class _Pool:
    """Byte strings laid out one after the other from blob offset `start`. Equal ones are stored once."""

    start: int
    content: bytearray = field(default_factory=bytearray)
    offsets: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def add(self, data: bytes, alignment: int, what: str) -> int:
        """The blob offset of `data`, which is added if need be. Only data of the same sort, `what`, share bytes."""
        key = (what, data)
        if key not in self.offsets:
            self.content.extend(bytes(-(self.start + len(self.content)) % alignment))
            self.offsets[key] = self.start + len(self.content)
            self.content.extend(data)
        return self.offsets[key]

    @property
    def end(self) -> int:
        return self.start + len(self.content)


def _encode(program: Program) -> bytes:
    # Records of fixed size come first, then what they point at. Parameter records name offsets of constants, so constants
    # must be placed before these records can be packed.
    io_offset = HEADER.size_bytes
    fills_offset = io_offset + IO.size_bytes * (len(program.inputs) + len(program.outputs))
    storages_offset = fills_offset + FILL.size_bytes * len(program.fills)
    views_offset = storages_offset + STORAGE.size_bytes * len(program.storages)
    ops_offset = views_offset + VIEW.size_bytes * len(program.views)
    middle_offset = ops_offset + OP.size_bytes * len(program.ops)

    tables = [_address_table(program, s) for s in range(len(program.storages))]
    moves, steps = _moves(program), _steps(program)
    pauses = struct.pack(f"<{len(program.pauses)}I", *program.pauses_with_flags)
    constants = _ordered_constants(program)

    # The draft puts the constants area at 0. It has the size of the final layout, because two parameter records are equal
    # when they name the same constants, wherever these lie.
    draft = _place(program, middle_offset, tables, _place_constants(constants, 0)[0])
    moves_offset = draft.pool.end
    pauses_offset = moves_offset + len(moves)
    steps_offset = pauses_offset + len(pauses)
    constants_offset = _aligned(steps_offset + len(steps), CONSTANTS_ALIGNMENT)
    offsets, constants_content = _place_constants(constants, constants_offset)
    final = _place(program, middle_offset, tables, offsets)

    blob = bytearray(
        HEADER.pack(
            magic=MAGIC,
            version=VERSION,
            flags=_flags(program),
            total_bytes=constants_offset + len(constants_content),
            workspace_bytes=program.workspace_bytes,
            second_bytes=program.second_bytes,
            io_offset=io_offset,
            fills_offset=fills_offset,
            storages_offset=storages_offset,
            views_offset=views_offset,
            ops_offset=ops_offset,
            moves_offset=moves_offset,
            move_count=len(program.moves),
            pauses_offset=pauses_offset,
            pause_count=len(program.pauses),
            steps_offset=steps_offset,
            step_count=len(program.steps),
            constants_offset=constants_offset,
            checksum=UNCHECKED,
            **_counts(program),
        )
    )
    blob += _io_and_fill_records(program)
    blob += (
        _storage_records(program, final.tables, offsets) + _view_records(program) + _op_records(program, final.params)
    )
    blob += final.pool.content + moves + pauses + steps
    blob += bytes(constants_offset - len(blob)) + constants_content
    return with_checksum(bytes(blob))


@dataclass(frozen=True, slots=True)
class _Middle:
    """Where parameter records and address tables lie: offsets per op and per storage (None: it has no table)."""

    pool: _Pool
    params: tuple[int, ...]
    tables: tuple[int | None, ...]


def _flags(program: Program) -> int:
    return (Flags.WIDE_STEPS if wide_steps(program) else 0) | (Flags.SLOW_MEMORY if program.slow_bytes else 0)


def _counts(program: Program) -> dict[str, int]:
    """How many records of each sort follow the header, by the header's field."""
    records = {
        "input": program.inputs,
        "output": program.outputs,
        "fill": program.fills,
        "storage": program.storages,
        "view": program.views,
        "op": program.ops,
    }
    return {f"{name}_count": len(found) for name, found in records.items()}


def _io_and_fill_records(program: Program) -> bytes:
    ios = (IO.pack(address=io.address, bytes=io.bytes) for io in program.inputs + program.outputs)
    return b"".join((*ios, *(FILL.pack(bytes=fill.bytes, value=fill.value) for fill in program.fills)))


def _storage_records(program: Program, tables: tuple[int | None, ...], constant_offsets: dict[int, int]) -> bytes:
    return b"".join(
        STORAGE.pack(
            where=_where(storage, table_offset, constant_offsets),
            row_bytes=storage.row_bytes,
            row_count=storage.row_count,
            kind=storage_kind(program, s),
            flags=StorageFlags.MOVES if s in program.moved_storages else 0,
        )
        for s, (storage, table_offset) in enumerate(zip(program.storages, tables, strict=True))
    )


def _view_records(program: Program) -> bytes:
    names = [f.name for f in VIEW.fields if f.name != "reserved"]
    return b"".join(VIEW.pack(**{name: getattr(view, name) for name in names}, reserved=0) for view in program.views)


def _op_records(program: Program, params_offsets: tuple[int, ...]) -> bytes:
    return b"".join(
        OP.pack(
            kind=op.kind,
            output=op.output,
            input=op.input,
            input2=NONE if op.input2 is None else op.input2,
            accumulator=NONE if op.accumulator is None else op.accumulator,
            reserved=0,
            params_offset=offset,
        )
        for op, offset in zip(program.ops, params_offsets, strict=True)
    )


def _place(program: Program, start: int, tables: list[bytes | None], constant_offsets: dict[int, int]) -> _Middle:
    pool = _Pool(start)
    params = tuple(pool.add(_params(op, constant_offsets), 4, kinds.of(op.kind).record.name) for op in program.ops)
    table_offsets = tuple(None if t is None else pool.add(t + bytes(-len(t) % 4), 4, "table") for t in tables)
    return _Middle(pool, params, table_offsets)


def _params(op: Op, constant_offsets: dict[int, int]) -> bytes:
    values = dict(op.params)
    kind = kinds.of(op.kind)
    for constant in kind.constants:
        values[constant.field] = constant_offsets[int(values[constant.field])]
    return kind.record.pack(**values)


def _address_table(program: Program, index: int) -> bytes | None:
    """The address table of a storage; None if it has none.

    If rows move, the table of first moves follows (`first_moves`).
    """
    storage = program.storages[index]
    match storage_kind(program, index):
        case StorageKind.TABLE16:
            units = [NO_ADDRESS16 if a is None else a // TABLE16_UNIT for a in storage.addresses]
            addresses = struct.pack(f"<{len(units)}H", *units)
        case StorageKind.TABLE32:
            words = [NO_ADDRESS32 if a is None else a for a in storage.addresses]
            addresses = struct.pack(f"<{len(words)}I", *words)
        case _:
            return None
    if index not in program.moved_storages:
        return addresses
    first = first_moves(program.moves, index, storage.row_count)
    return addresses + struct.pack(f"<{len(first)}H", *first)


def _where(storage: Storage, table: int | None, constant_offsets: dict[int, int]) -> int:
    if storage.constant is not None:
        return constant_offsets[storage.constant]
    return _origin(storage) if table is None else table


def _origin(storage: Storage) -> int:
    """The address that row 0 of an `AFFINE` storage has, or would have; 0 when no row has an address."""
    for row, address in enumerate(storage.addresses):
        if address is not None:
            return address - row * storage.row_bytes
    return 0


def _moves(program: Program) -> bytes:
    """The move records sorted by row, then the chain of their order of execution; padded to a multiple of 4 bytes."""
    by_row = sorted(range(len(program.moves)), key=lambda k: _key(program.moves[k]))
    records = b"".join(
        MOVE.pack(storage=m.storage, row=m.row, step=m.step, address=m.address)
        for m in (program.moves[k] for k in by_row)
    )
    if not by_row:
        return b""
    record_of = {k: record for record, k in enumerate(by_row)}
    in_turn = [record_of[k] for k in range(len(by_row))]
    after = dict(zip(in_turn, [*in_turn[1:], len(by_row)], strict=True))
    order = struct.pack(f"<{1 + len(by_row)}H", in_turn[0], *(after[record] for record in range(len(by_row))))
    return records + order + bytes(-(len(records) + len(order)) % 4)


def _key(move: Move) -> tuple[int, int, int]:
    return move.storage, move.row, move.step


def _steps(program: Program) -> bytes:
    code = "H" if wide_steps(program) else "B"
    return struct.pack(f"<{2 * len(program.steps)}{code}", *(n for s in program.steps for n in (s.op, s.row)))


def _ordered_constants(program: Program) -> list[tuple[bytes, int, list[int]]]:
    """Every constant that is used: its bytes, the strictest alignment it needs, its indices.

    The strictest alignment comes first, so that little padding is needed; within one alignment the order is that of first
    use.
    """
    wanted: dict[bytes, tuple[int, list[int]]] = {}

    def use(index: int, alignment: int) -> None:
        data = program.constants[index]
        before, indices = wanted.get(data, (1, []))
        wanted[data] = (max(before, alignment), indices if index in indices else [*indices, index])

    for storage in program.storages:
        if storage.constant is not None:
            use(storage.constant, STORAGE_ALIGNMENT)
    for op in program.ops:
        for constant in kinds.of(op.kind).constants:
            use(int(op.params[constant.field]), constant.alignment)
    return sorted(((data, a, indices) for data, (a, indices) in wanted.items()), key=lambda entry: -entry[1])


def _place_constants(constants: list[tuple[bytes, int, list[int]]], start: int) -> tuple[dict[int, int], bytes]:
    """(constant index -> blob offset, the bytes of the constants area, padded to a multiple of 4)."""
    pool = _Pool(start)
    offsets = {index: pool.add(data, a, "constant") for data, a, indices in constants for index in indices}
    return offsets, bytes(pool.content) + bytes(-len(pool.content) % 4)


def _aligned(offset: int, alignment: int) -> int:
    return offset + -offset % alignment
