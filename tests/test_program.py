"""The bytes of a program: decode gives back what encode wrote, and refuses all other bytes with one sentence."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
import runtime_scene
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_programs import CONV1, INPUT, LUT, MIDDLE, OUTPUT, SUM, one_op, small_network, window, with_addresses
from samples import Programs, rows_of_calls

from tflm_split import kinds
from tflm_split.errors import InternalError, ProgramError
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import MOVE_ALIGN
from tflm_split.kinds.record import Block, Record
from tflm_split.kinds.window import WINDOW
from tflm_split.program.check import check_program
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode, wide_steps
from tflm_split.program.format import HEADER, IO, OP, STORAGE, VERSION, VIEW, Flags, StorageKind
from tflm_split.program.generate import RECORDS
from tflm_split.program.sizes import program_bytes_without_constants
from tflm_split.program.types import Io, Move, Op, Program, Step, Storage, View

T = TypeVar("T")


def normal_form(program: Program) -> Program:
    """The program as its bytes carry it: no sources, equal constants merged, constants in order of first use."""
    numbers: dict[bytes, int] = {}

    def number(index: int) -> int:
        return numbers.setdefault(program.constants[index], len(numbers))

    storages = tuple(s if s.constant is None else replace(s, constant=number(s.constant)) for s in program.storages)
    ops = []
    for op in program.ops:
        params = dict(op.params)
        for name in kinds.of(op.kind).constant_fields:
            params[name] = number(int(params[name]))
        ops.append(replace(op, params=params, source=""))
    return replace(program, storages=storages, ops=tuple(ops), constants=tuple(numbers))


# Well-formed programs, at random: a few ops of any kind on storages of any encoding.


class _Drawn:
    """Choices that Hypothesis makes."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def one(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    made = Programs(_Drawn(draw), draw(st.sampled_from([4096, 300_000])))
    for _ in range(draw(st.integers(1, 4))):
        made.add(draw(st.sampled_from(OpKind)))
    steps = []
    for k, op in enumerate(made.ops):
        rows = range(made.rows_of(op))
        whole = kinds.of(op.kind).fetches or kinds.of(op.kind).emits
        some = rows if whole else draw(st.lists(st.sampled_from(rows), max_size=4))
        steps += [Step(k, row) for row in some]
    io = st.builds(Io, st.integers(0, 2000), st.integers(1, 2000))
    inputs, outputs = (tuple(draw(st.lists(io, max_size=2))) for _ in range(2))
    program = replace(made.program(steps), inputs=inputs, outputs=outputs)
    return replace(program, moves=tuple(draw(moves_in(program))))


@st.composite
def moves_in(draw: st.DrawFn, program: Program) -> list[Move]:
    """Moves of some rows to anywhere, in the order of the steps before which they come."""
    fixed = rows_of_calls(program)
    movable = [
        (s, r, a)
        for s, x in enumerate(program.storages)
        for r, a in enumerate(x.addresses)
        if a is not None and s not in fixed
    ]
    if not program.steps or not movable:
        return []
    moves = []
    for s, r, a in draw(st.lists(st.sampled_from(movable), max_size=5, unique=True)):
        highest = (program.workspace_bytes - program.storages[s].row_bytes - a % MOVE_ALIGN) // MOVE_ALIGN
        to = MOVE_ALIGN * draw(st.integers(0, highest)) + a % MOVE_ALIGN
        moves.append(Move(draw(st.integers(0, len(program.steps) - 1)), s, r, to))
    return sorted(moves, key=lambda move: move.step)


@settings(deadline=None, max_examples=150)
@given(programs())
def test_what_is_encoded_is_decoded(program: Program) -> None:
    assert decode(encode(program)) == normal_form(program)


@settings(deadline=None, max_examples=50)
@given(programs())
def test_encoding_what_was_decoded_gives_the_same_bytes(program: Program) -> None:
    once = encode(decode(encode(program)))
    assert encode(decode(once)) == once


@settings(deadline=None, max_examples=150)
@given(programs(), st.data())
def test_any_four_bytes_changed_are_refused_or_still_make_a_well_formed_program(
    program: Program, data: st.DataObject
) -> None:
    blob = bytearray(encode(program))
    at = data.draw(st.integers(0, min(len(blob), program_bytes_without_constants(bytes(blob))) - 4))
    blob[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        check_program(decode(bytes(blob)))
    except ProgramError as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017  accepting the blob is fine, too


@settings(deadline=None, max_examples=50)
@given(programs(), st.data())
def test_a_truncated_program_is_refused(program: Program, data: st.DataObject) -> None:
    blob = encode(program)
    with pytest.raises(ProgramError):
        decode(blob[: data.draw(st.integers(0, len(blob) - 1))])


# The layout.


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_no_two_fields_of_a_record_have_the_same_name(record: Record) -> None:
    """A block's fields are named as if they were the record's own."""
    names = [f.name for f in record.fields]
    assert len(set(names)) == len(names)


def test_a_window_comes_first_in_its_record() -> None:
    """So that rows are looked up through it, whatever the kind."""
    for kind in kinds.KINDS:
        record = kind.record
        position = [k for k, m in enumerate(record.members) if isinstance(m, Block) and m.record is WINDOW]
        assert position in ([], [0])


def test_the_parts_follow_each_other_in_the_order_of_the_format() -> None:
    blob = encode(small_network())
    header = HEADER.unpack(blob, 0)
    assert header["io_offset"] == HEADER.size_bytes
    assert header["storages_offset"] == HEADER.size_bytes + 2 * IO.size_bytes
    assert header["views_offset"] == header["storages_offset"] + 6 * STORAGE.size_bytes
    assert header["ops_offset"] == header["views_offset"] + 6 * VIEW.size_bytes
    params = [OP.unpack(blob, int(header["ops_offset"]) + k * OP.size_bytes)["params_offset"] for k in range(4)]
    assert params[0] == header["ops_offset"] + 4 * OP.size_bytes
    assert params == sorted(params)
    assert params[-1] < header["steps_offset"] < header["constants_offset"] < header["total_bytes"] == len(blob)


def test_the_program_without_constants_is_what_lies_before_them() -> None:
    blob = encode(small_network())
    assert program_bytes_without_constants(blob) == HEADER.unpack(blob, 0)["constants_offset"]
    with pytest.raises(ProgramError, match="not a TFLM_SPLIT program"):
        program_bytes_without_constants(bytes(100))
    with pytest.raises(ProgramError, match="ends after 8 bytes, inside its header"):
        program_bytes_without_constants(blob[:8])


def test_constants_lie_at_a_multiple_of_their_alignment() -> None:
    program = small_network()
    blob = encode(program)
    header = HEADER.unpack(blob, 0)
    assert int(header["constants_offset"]) % 16 == 0
    for k, op in enumerate(program.ops):
        record = OP.unpack(blob, int(header["ops_offset"]) + k * OP.size_bytes)
        params = kinds.of(op.kind).record.unpack(blob, int(record["params_offset"]))
        for constant in kinds.of(op.kind).constants:
            held = program.constants[int(op.params[constant.field])]
            offset = int(params[constant.field])
            assert offset % constant.alignment == 0
            assert blob[offset : offset + len(held)] == held


def test_equal_constants_are_stored_once() -> None:
    program = small_network()
    twin = replace(program, constants=(*program.constants, bytes(program.constants[5])))
    ops = list(program.ops)
    ops[LUT] = replace(ops[LUT], params={"table_offset": 8})
    assert encode(replace(twin, ops=tuple(ops))) == encode(program)


def test_equal_parameters_and_equal_address_tables_are_stored_once() -> None:
    blob = encode(small_network())
    header = HEADER.unpack(blob, 0)
    tables = [STORAGE.unpack(blob, int(header["storages_offset"]) + s * STORAGE.size_bytes)["where"] for s in (1, 2)]
    assert tables[0] == tables[1]


def test_a_row_without_an_address_survives_in_a_table() -> None:
    program = small_network()
    storages = list(program.storages)
    for unit, addresses in ((4, (None, 4, 88, 0)), (1, (None, 3, 88, 0))):
        storages[3] = Storage(4, 4, addresses)
        changed = replace(program, storages=tuple(storages), steps=())
        assert storages[3].kind is (StorageKind.TABLE16 if unit == 4 else StorageKind.TABLE32)
        assert decode(encode(changed)).storages[3] == storages[3]


def test_a_row_without_an_address_between_affine_rows_gets_the_one_its_neighbours_imply() -> None:
    program = replace(with_addresses(small_network(), INPUT, {3: None}), steps=())  # type: ignore[dict-item]
    assert decode(encode(program)).storages[INPUT] == small_network().storages[INPUT]


def test_an_affine_storage_whose_unused_rows_would_leave_the_workspace_becomes_a_table() -> None:
    program = small_network()
    storages = list(program.storages)
    storages[MIDDLE] = Storage(8, 8, (80, 88, 96, *(None,) * 5))
    decoded = decode(encode(replace(program, storages=tuple(storages), steps=())))
    assert decoded.storages[MIDDLE] == storages[MIDDLE]


def test_steps_take_two_bytes_until_a_number_passes_255() -> None:
    def tall(rows: int) -> Program:
        storage = Storage(1, rows, tuple(range(rows)))
        op = Op(OpKind.LUT, 0, 0, {"table_offset": 0})
        return one_op(op, (View(0, 0, rows, 1, 1, 1),), (storage,), workspace_bytes=rows, constants=(bytes(256),))

    for rows, wide in ((256, False), (257, True)):
        program = tall(rows)
        header = HEADER.unpack(encode(program), 0)
        assert wide_steps(program) == wide == bool(int(header["flags"]) & Flags.WIDE_STEPS)
        assert decode(encode(program)) == program

    many = replace(tall(1), ops=tall(1).ops * 257)
    assert wide_steps(many) and decode(encode(many)) == many


# Faults.


def header_with(**fields: int) -> bytes:
    blob = encode(small_network())
    values = HEADER.unpack(blob, 0) | fields
    return HEADER.pack(**values) + blob[HEADER.size_bytes :]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"magic": 1}, "not a TFLM_SPLIT program"),
        ({"version": VERSION + 1}, f"has version {VERSION + 1}, and this package reads {VERSION}"),
        ({"flags": 4}, "unknown flags 0x4"),
        ({"fill_count": 1}, "storage records cover bytes"),
        ({"second_bytes": 4}, "says it keeps 4 bytes, and fills 0"),
        ({"total_bytes": 1 << 20}, "says it has 1048576 bytes, and it has"),
        ({"io_offset": 58}, "io records lie at byte 58, which is not a multiple of 4"),
        ({"io_offset": 64}, r"io records cover bytes 64 to 80, outside 84 to"),
        ({"views_offset": 1 << 30}, "view records cover bytes"),
        ({"op_count": 60_000}, "op records cover bytes"),
        ({"step_count": 1 << 30}, "steps cover bytes"),
        ({"constants_offset": 4096}, "constants cover bytes 4096"),
        ({"constants_offset": 1028}, "constants lie at 1028, not a multiple of 16"),
        ({"workspace_bytes": 60}, "input 0 covers bytes 0 to 64 of a workspace of 60"),
        ({"storage_count": 3}, "names storage 3, but there are 3"),
        ({"view_count": 2}, "its output names view 3|its output names view 2"),
    ],
)
def test_a_header_that_is_wrong_is_refused(fields: dict[str, int], sentence: str) -> None:
    if fields.get("constants_offset") == 1028:
        size = len(encode(small_network()))
        fields = {"constants_offset": size - 4 if (size - 4) % 16 else size - 8}
        sentence = "not a multiple of 16"
    with pytest.raises(ProgramError, match=sentence):
        decode(header_with(**fields))


def record_with(record_offset: int, code: str, value: int) -> bytes:
    blob = bytearray(encode(small_network()))
    struct.pack_into("<" + code, blob, record_offset, value)
    return bytes(blob)


@pytest.mark.parametrize(
    ("part", "index", "field_offset", "code", "value", "sentence"),
    [
        ("storages", 0, 0, "I", 1000, "row 0 of storage 0 covers bytes 1000 to 1008 of a workspace of 104"),
        ("storages", 0, 4, "I", 0, "storage 0 has 8 rows of 0 bytes"),
        ("storages", 0, 10, "B", 7, "storage 0 has the unknown kind 7"),
        ("storages", 0, 11, "B", 2, "storage 0 has unknown flags 0x2"),
        ("storages", 0, 11, "B", 1, "storage 0 moves, and has no address table"),
        ("storages", 1, 11, "B", 1, "storage 1 does not move, unlike its flags say"),
        ("storages", 1, 0, "I", 1, "address table of storage 1 lies at byte 1, which is not a multiple of 4"),
        ("storages", 1, 0, "I", 0, "address table of storage 1 covers bytes 0 to 16, outside"),
        ("storages", 4, 0, "I", 66, "view 4 has 4-byte elements at an address that is not a multiple of 4"),
        ("views", 0, 0, "H", 6, "view 0 names storage 6, but there are 6"),
        ("views", 0, 2, "H", 1, "view 0 sees rows 1 to 9 of storage 0, which has 8"),
        ("views", 0, 6, "H", 5, "view 0 reaches from byte 0 to 10 of rows that have 8 bytes"),
        ("views", 0, 12, "I", 1, "view 0 has pixels of 2 bytes only 1 bytes apart"),
        ("views", 0, 20, "H", 3, "view 0 has elements of 3 bytes, needs 1, 2 or 4"),
        ("views", 0, 22, "H", 1, "reserved field of split_view 0 is 1"),
        ("ops", 0, 0, "H", 77, "op 0 has the unknown kind 77"),
        ("ops", 0, 6, "H", 0, "op 0 CONV: it has a second input and takes one"),
        ("ops", 0, 8, "H", 4, "op 0 CONV: it has an accumulator and needs none"),
        ("ops", 3, 8, "H", 0xFFFF, "op 3 SUM_FEED: it has no accumulator"),
        ("ops", 3, 8, "H", 5, "op 3 SUM_FEED: its accumulator has elements of 1 bytes"),
        ("ops", 0, 12, "I", 0, "parameter record of op 0 CONV covers bytes 0 to 52, outside"),
        ("steps", 0, 0, "B", 4, "step 0 names op 4, but there are 4 ops"),
        ("steps", 0, 1, "B", 8, "step 0 computes row 8 of op 0, which has 8 rows"),
    ],
)
def test_a_record_that_is_wrong_is_refused(
    part: str, index: int, field_offset: int, code: str, value: int, sentence: str
) -> None:
    sizes = {"storages": STORAGE.size_bytes, "views": VIEW.size_bytes, "ops": OP.size_bytes, "steps": 2}
    start = int(HEADER.unpack(encode(small_network()), 0)[f"{part}_offset"])
    with pytest.raises(ProgramError, match=sentence):
        decode(record_with(start + index * sizes[part] + field_offset, code, value))


@pytest.mark.parametrize(
    ("op", "params", "sentence"),
    [
        (CONV1, {"kernel_rows": 33}, "its window has 33 rows, and 32 is the most"),
        (CONV1, {"stride_rows": 0}, "its stride_rows is 0"),
        (CONV1, {"groups": 3}, "3 groups do not divide 2 and 2 channels"),
        (CONV1, {"flags": 2}, "its flags are 0x2"),
        (CONV1, {"output_min": 5, "output_max": 4}, "its output range is 5 to 4"),
        (CONV1, {"output_max": 128}, "its output range is -128 to 128"),
        (CONV1, {"weights_offset": 2}, "its weights_offset needs 36 bytes and names a constant of 8"),
        (CONV1, {"bias_offset": 99}, "its bias_offset names constant 99, but there are 8"),
        (CONV1, {"shifts_offset": 8}, "a shift is 31"),
        (SUM, {"mode": 3}, "its mode is 3"),
        (SUM, {"count": 0}, "its count is 0"),
        (SUM, {"shift": -32}, "its shift is -32"),
    ],
)
def test_parameters_that_are_wrong_are_refused_and_never_encoded(
    op: int, params: dict[str, int], sentence: str
) -> None:
    program = small_network()
    if params.get("shifts_offset") == 8:
        program = replace(program, constants=(*program.constants, bytes([0, 31])))
    ops = list(program.ops)
    ops[op] = replace(ops[op], params={**ops[op].params, **params})
    broken = replace(program, ops=tuple(ops))
    with pytest.raises(ProgramError, match=sentence):
        check_program(broken)
    with pytest.raises(InternalError, match="a program of ours is malformed"):
        encode(broken)


def test_a_pooling_window_that_lies_outside_its_input_is_refused() -> None:
    views = (View(0, 0, 2, 2, 1, 1), View(1, 0, 2, 2, 1, 1))
    storages = (Storage(2, 2, (0, 2)), Storage(2, 2, (4, 6)))
    for pads, sound in ((window(2, pad=1), True), (window(1, pad=1), False), (window(2, stride=3), False)):
        op = Op(OpKind.AVERAGE_POOL, 1, 0, {**pads, "output_min": -128, "output_max": 127})
        program = one_op(op, views, storages, workspace_bytes=8)
        if sound:
            check_program(program)
        else:
            with pytest.raises(ProgramError, match=r"the window of output . lies outside the input's rows"):
                check_program(program)


def test_parameters_under_other_names_are_refused() -> None:
    program = small_network()
    ops = list(program.ops)
    ops[LUT] = replace(ops[LUT], params={"table": 5})
    with pytest.raises(InternalError, match=r"differ from split_lut_params's in \['table', 'table_offset'\]"):
        encode(replace(program, ops=tuple(ops)))


def test_a_value_that_does_not_fit_its_field_is_a_mistake_of_ours() -> None:
    program = small_network()
    ops = list(program.ops)
    ops[SUM] = replace(ops[SUM], params={**ops[SUM].params, "bias": 1 << 40})
    with pytest.raises(InternalError, match="its bias is 1099511627776"):
        encode(replace(program, ops=tuple(ops)))


def test_a_step_that_touches_a_row_without_an_address_is_refused() -> None:
    program = small_network()
    storages = list(program.storages)
    storages[MIDDLE] = Storage(8, 8, (80, 88, None, 80, 88, 96, 80, 88))
    with pytest.raises(ProgramError, match="row 2 of op 0 CONV touches row 2 of storage 1, which has no address"):
        check_program(replace(program, storages=tuple(storages)))


@settings(deadline=None, max_examples=100)
@given(programs())
def test_the_executor_accepts_every_well_formed_program(program: Program) -> None:
    assert runtime_scene.prepare(encode(program)) == "ok"


@settings(deadline=None, max_examples=200)
@given(programs(), st.data())
def test_the_executor_accepts_whatever_is_decoded(program: Program, data: st.DataObject) -> None:
    """A changed program that decode accepts is accepted by the C executor's prepare, too."""
    blob = bytearray(encode(program))
    at = data.draw(st.integers(0, program_bytes_without_constants(bytes(blob)) - 4))
    blob[at] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(blob))
    except ProgramError:
        return
    assert runtime_scene.prepare(bytes(blob)) == "ok"


def test_writing_into_a_constant_is_refused() -> None:
    program = small_network()
    storages = list(program.storages)
    storages[OUTPUT] = Storage(2, 1, (), 4)
    with pytest.raises(ProgramError, match="op 3 SUM_FEED: its output lies in a constant"):
        check_program(replace(program, storages=tuple(storages)))
