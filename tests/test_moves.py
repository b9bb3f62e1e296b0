"""Rows that move: room is made without loss, layouts reach the live bound, and every fault in a move is caught."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import runtime_scene
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sample_programs import ACTIVATED, INPUT, small_network, unchecked, with_moves
from test_squeeze import Problem, problems

from tflm_split.errors import InternalError, ProgramError
from tflm_split.plan.check import check_layout
from tflm_split.plan.make_room import Occupant, rooms
from tflm_split.plan.moves import MoveTerms
from tflm_split.plan.moves import with_moves as place_with_moves
from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem import Body, Layout, Leeway, Move, Span, live_lower_bound, packing_lower_bound
from tflm_split.program.check import check_program
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.format import HEADER, MOVE, MOVES_BIT, STORAGE
from tflm_split.program.text import format_program
from tflm_split.program.types import Move as RowMove
from tflm_split.program.types import Program
from tflm_split.verify.oracle import run_program
from tflm_split.verify.replay import replay

ANY = MoveTerms(frozenset(range(100)), 1e9, 1.0, 0.0, 4, 0)


def piece(start: int, stop: int, size: int) -> Body:
    return Body((Span(start, stop, 0, size),), 4)


# Room for one more.


@st.composite
def memories(draw: st.DrawFn) -> tuple[list[Occupant], int, dict[tuple[int, int], int], int]:
    """Occupants with gaps between them, the size of a newcomer, the occupants it may lie on, and the height."""
    occupants, end = [], 0
    for k in range(draw(st.integers(0, 6))):
        low = end + 4 * draw(st.integers(0, 3))
        size = draw(st.sampled_from([2, 4, 8, 12, 20]))
        occupants.append(Occupant((k, 0), low, size, draw(st.integers(0, 4)) == 0))
        end = -(-(low + size) // 4) * 4
    height = end + 4 * draw(st.integers(0, 4))
    on = {o.key: 4 * draw(st.integers(0, 3)) for o in occupants if draw(st.integers(0, 3)) == 0}
    return occupants, draw(st.sampled_from([4, 8, 16])), on, height


@settings(deadline=None, max_examples=300)
@given(memories())
def test_rooms_overwrite_nothing_on_the_way(
    memory: tuple[list[Occupant], int, dict[tuple[int, int], int], int],
) -> None:
    occupants, size, on, height = memory
    every = rooms(occupants, size, on, height, 4)
    assert all(rooms(occupants, size, on, height, 4, most=most) == every[:most] for most in (1, 3))
    for room in every:
        contents = dict[int, tuple[int, int]]()
        here = {o.key: o for o in occupants}
        for o in occupants:
            contents.update(dict.fromkeys(range(o.low, o.high), o.key))
        for key, to in room.moves:
            o = here[key]
            assert not o.is_fixed and to >= 0 and (to - o.low) % 4 == 0
            assert all(contents.get(o.low + k) == key for k in range(o.bytes))
            for k in range(o.bytes):
                contents.pop(o.low + k, None)
            contents.update(dict.fromkeys(range(to, to + o.bytes), key))
            here[key] = replace(o, low=to)
        assert room.moved_bytes == sum(here[key].bytes for key, _ in room.moves)
        assert room.address >= 0 and room.address + size <= height
        for o in here.values():
            assert o.high <= height and all(contents[o.low + k] == o.key for k in range(o.bytes))
            if o.low < room.address + size and room.address < o.high:
                assert room.address == o.low if on[o.key] == 0 else room.address <= o.low - on[o.key]


@settings(deadline=None, max_examples=300)
@given(memories(), st.integers(-1, 6), st.integers(1, 4))
def test_rooms_in_c_and_in_python_are_the_same(
    memory: tuple[list[Occupant], int, dict[tuple[int, int], int], int], place: int, most: int
) -> None:
    occupants, size, on, height = memory
    at = None if place < 0 else min(4 * place, max(height - size, 0))
    in_c, in_python = (rooms(occupants, size, on, height, 4, at, most, native) for native in (True, False))
    assert in_c == in_python


def test_what_is_in_the_way_slides_or_steps_aside() -> None:
    #   0..8 free | 8..12 a | 12..20 free | 20..24 b | 24..28 free, for 12 bytes
    occupants = [Occupant((0, 0), 8, 4, False), Occupant((1, 0), 20, 4, False)]
    found = rooms(occupants, 12, {}, 28, 4)
    assert found[0].moved_bytes == 4
    assert {(room.address, room.moves) for room in found if room.moved_bytes == 4} >= {
        (0, (((0, 0), 12),)),  # a goes up
        (8, (((0, 0), 4),)),  # a goes down
    }


# Layouts.


def test_moves_reach_what_no_fixed_addresses_do() -> None:
    bodies = [piece(0, 3, 8), piece(0, 2, 8), piece(2, 4, 8), piece(3, 5, 16), piece(1, 3, 8)]
    bound = packing_lower_bound(bodies)
    fixed = plan(bodies, 100)
    moved = plan(bodies, 100, move_terms=ANY)
    assert moved.head_bytes == bound <= fixed.head_bytes
    assert (fixed.head_bytes > bound) == bool(moved.moves)


@st.composite
def pieces(draw: st.DrawFn) -> list[Body]:
    return [
        piece(start, start + draw(st.integers(1, 6)), 4 * draw(st.integers(1, 6)))
        for start in draw(st.lists(st.integers(0, 9), min_size=1, max_size=10))
    ]


def pieces_of(*lives: tuple[int, int, int]) -> list[Body]:
    return [piece(start, stop, size) for start, stop, size in lives]


@settings(deadline=None, max_examples=150)
@given(pieces())
# Each newcomer takes the cheapest room, so the last one has its bytes in two places. The others must close up.
@example(pieces_of((1, 2, 12), (4, 5, 8), (1, 5, 16), (1, 2, 12), (0, 1, 4), (4, 5, 8), (0, 1, 4), (4, 5, 8)))
@example(pieces_of((6, 7, 12), (4, 7, 16), (4, 5, 16), (6, 8, 12), (3, 9, 16)))
@example(pieces_of((3, 7, 20), (5, 11, 12), (9, 15, 16), (3, 6, 8), (9, 15, 16), (0, 2, 20)))
def test_pieces_that_may_all_move_need_no_more_than_the_bytes_alive(bodies: list[Body]) -> None:
    bound = live_lower_bound(bodies)
    addresses = tuple(sum(b.bytes for b in bodies[:k]) for k in range(len(bodies)))
    layout, _ = place_with_moves(bodies, [], ANY, Layout(addresses, 0, ""), bound, 10**8)
    assert layout is not None and layout.head_bytes == bound
    check_layout(bodies, layout)


@settings(deadline=None, max_examples=100)
@given(pieces(), st.integers(0, 3))
def test_an_input_lets_go_of_its_rows_too(bodies: list[Body], lead: int) -> None:
    tensor = Body(tuple(Span(0, 2 + r, 8 * r, 8) for r in range(4)), 16)
    later = [
        replace(b, spans=tuple(replace(s, start=s.start + lead, stop=s.stop + lead) for s in b.spans)) for b in bodies
    ]
    every = [tensor, *later]
    layout = plan(every, 50, move_terms=ANY)
    check_layout(every, layout)
    assert layout.head_bytes <= plan(every, 50).head_bytes


def test_without_native_code_the_layout_is_the_same() -> None:
    rng = np.random.default_rng(3)
    bodies = [piece(int(s), int(s + n), int(4 * b)) for s, n, b in zip(*rng.integers(1, 9, (3, 20)), strict=True)]
    assert plan(bodies, 20, move_terms=ANY) == plan(bodies, 20, move_terms=ANY, use_native=False)


@settings(deadline=None, max_examples=25)
@given(problems(), st.sets(st.integers(0, 19)), st.integers(0, 2))
def test_epochs_in_c_and_in_python_are_the_same(problem: Problem, fixed: set[int], above: int) -> None:
    bodies, leeways = problem
    start = plan(bodies, 0, leeways=leeways)
    at_once = {b for b, body in enumerate(bodies) if all(span.start == body.start for span in body.spans)}
    terms = replace(ANY, movable=frozenset(at_once - fixed))
    height = packing_lower_bound(bodies, leeways) + 4 * above
    in_c, in_python = (
        place_with_moves(bodies, leeways, terms, start, height, 100_000, use_native) for use_native in (True, False)
    )
    assert in_c == in_python


def test_copies_that_cost_too_much_are_not_made() -> None:
    bodies = [piece(0, 3, 8), piece(0, 2, 8), piece(2, 4, 8), piece(3, 5, 16), piece(1, 3, 8)]
    for terms in (replace(ANY, most_instructions=0.5), replace(ANY, movable=frozenset())):
        assert not plan(bodies, 100, move_terms=terms).moves


@pytest.mark.parametrize(
    ("height", "most_instructions", "written_below"),
    [(20, 0.0, 8), (16, 10.0, 4), (16, 9.0, None), (24, 0.0, 12)],
)
def test_a_row_is_written_over_another_further_down_where_that_costs_nothing(
    height: int, most_instructions: float, written_below: int | None
) -> None:
    """Rows have 12 bytes. In a head of 16 they can lie 4 bytes apart only, which costs 10 instructions; in 20 also 8."""
    bodies, leeways = [piece(0, 3, 12), piece(2, 4, 12)], [Leeway(0, 1, 4, 10.0, 8)]
    terms = replace(ANY, most_instructions=most_instructions, movable=frozenset())
    layout, _ = place_with_moves(bodies, leeways, terms, Layout((12, 0), 24, ""), height, 10**6)
    if written_below is None:
        assert layout is None
    else:
        assert layout is not None and layout.addresses[0] - layout.addresses[1] == written_below
        check_layout(bodies, layout, leeways)


LIVING = [piece(0, 4, 8), piece(0, 4, 8), piece(2, 4, 8)]


@pytest.mark.parametrize(
    ("moves", "fault"),
    [
        ([Move(1, 0, 0, 8)], "overwrites body 1"),
        ([Move(1, 0, 0, 28)], "past the head"),
        ([Move(1, 0, 0, -4)], "past the head"),
        ([Move(1, 0, 0, 16)], "share bytes at step 2"),
        ([Move(4, 0, 0, 24)], "does not live"),
        ([Move(0, 0, 0, 24)], "does not live"),
        ([Move(1, 0, 0, 24), Move(1, 0, 0, 0)], "twice before one step"),
        ([Move(3, 0, 0, 24), Move(1, 1, 0, 0)], "follows one before step 3"),
    ],
)
def test_the_checker_finds_a_wrong_move(moves: Sequence[Move], fault: str) -> None:
    layout = Layout((0, 8, 16), 32, "", moves=tuple(moves))
    with pytest.raises(InternalError, match=fault):
        check_layout(LIVING, layout)


def test_the_checker_knows_where_a_row_lies_that_another_is_written_over() -> None:
    bodies, leeways = [piece(0, 3, 8), piece(2, 4, 8)], [Leeway(0, 1, 4)]
    check_layout(bodies, Layout((0, 4), 16, "", moves=(Move(1, 0, 0, 8),)), leeways)
    with pytest.raises(InternalError, match="needs 4"):
        check_layout(bodies, Layout((0, 4), 16, "", moves=(Move(1, 0, 0, 4),)), leeways)


# Programs.


def noise(program: Program) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, io.bytes).astype(np.uint8) for io in program.inputs]


def test_a_program_with_moves_computes_the_same() -> None:
    program = with_moves(small_network())
    assert decode(encode(program)).moves == program.moves
    replay(program)
    given_inputs = noise(program)
    wanted = run_program(small_network(), given_inputs)
    assert run_program(program, given_inputs) == wanted
    workspace = bytearray(program.workspace_bytes)
    workspace[:64] = given_inputs[0].tobytes()
    assert runtime_scene.execute(encode(program), bytes(workspace))[76:78] == wanted[0]


def test_moves_are_printed_with_their_steps() -> None:
    text = format_program(with_moves(small_network()))
    assert re.search(r"moves\n  before 3  s2  row 0  to 104\n  before 4  s2  row 1  to 80\n", text)
    assert "moves" not in format_program(small_network())


def test_a_build_without_moves_says_so() -> None:
    assert with_moves(small_network()).kinds_mask == small_network().kinds_mask | 1 << MOVES_BIT


@pytest.mark.parametrize("missing", range(3))
def test_replay_misses_every_move_that_is_left_out_but_the_harmless(missing: int) -> None:
    program = with_moves(small_network())
    moves = (*program.moves[:missing], *program.moves[missing + 1 :])
    needed = (True, False, True)[missing]  # without the second, the third moves row 1 to where it is
    if not needed:
        replay(replace(program, moves=moves))
        return
    with pytest.raises(InternalError, match="the memory plan is wrong"):
        replay(replace(program, moves=moves))


FAULTS = [
    (RowMove(99, ACTIVATED, 0, 104), "comes before step 99"),
    (RowMove(3, 9, 0, 104), "names storage 9"),
    (RowMove(3, ACTIVATED, 8, 104), "which has no address"),
    (RowMove(3, ACTIVATED, 0, 108), "to 108"),
    (RowMove(3, ACTIVATED, 0, 102), "by a multiple of 4"),
]


@pytest.mark.parametrize(("move", "fault"), FAULTS)
def test_a_move_out_of_bounds_is_refused(move: RowMove, fault: str) -> None:
    program = with_moves(small_network())
    with pytest.raises(ProgramError, match=fault):
        check_program(replace(program, moves=(move, *program.moves[1:])))


def blob_with(index: int, **fields: int) -> bytes:
    blob = bytearray(unchecked(with_moves(small_network())))
    offset = int(HEADER.unpack(bytes(blob), 0)["moves_offset"]) + index * MOVE.size_bytes
    blob[offset : offset + MOVE.size_bytes] = MOVE.pack(**(MOVE.unpack(bytes(blob), offset) | fields))
    return bytes(blob)


@pytest.mark.parametrize(
    "fields",
    [
        {"step": 99},
        {"storage": 9},
        {"storage": INPUT},  # the storage's flags say that it does not move
        {"row": 8},
        {"row": 2},  # out of order
        {"address": 108},
        {"address": 102},
        {"step": 9},  # carried out first, and due last
    ],
)
def test_python_and_c_refuse_the_same_moves(fields: dict[str, int]) -> None:
    blob = blob_with(0, **fields)
    assert runtime_scene.prepare(blob) == (
        "a move names a row or a step that does not exist, leaves the workspace, or is out of order"
    )
    with pytest.raises(ProgramError):
        decode(blob)


@pytest.mark.parametrize(
    "first", [(0,) * 9, (0, 1, 2, *(3,) * 6), (0, 1, *(4,) * 7), (3, *(0,) * 8), (0, 0, 1, *(3,) * 6)]
)
def test_python_and_c_refuse_tables_that_lead_to_other_moves(first: tuple[int, ...]) -> None:
    """Rows 0 and 1 move once and twice. The tables lead to no moves, too few, too many, a decreasing number, or another row's."""
    blob = bytearray(unchecked(with_moves(small_network())))
    storages = int(HEADER.unpack(bytes(blob), 0)["storages_offset"])
    where = int(STORAGE.unpack(bytes(blob), storages + ACTIVATED * STORAGE.size_bytes)["where"])
    assert struct.unpack_from("<9H", blob, where + 16) == (0, 1, *(3,) * 7)
    struct.pack_into("<9H", blob, where + 16, *first)
    assert runtime_scene.prepare(bytes(blob)).startswith("a move names")
    with pytest.raises(ProgramError, match=f"storage {ACTIVATED} does not say where its moves are"):
        decode(bytes(blob))


def test_the_executor_runs_moves_in_the_order_of_their_turns() -> None:
    blob = bytearray(unchecked(with_moves(small_network())))
    header = HEADER.unpack(bytes(blob), 0)
    turns = int(header["moves_offset"]) + 3 * MOVE.size_bytes
    blob[turns : turns + 2] = b"\x07\x00"
    assert runtime_scene.prepare(bytes(blob)).startswith("a move names")
    with pytest.raises(ProgramError, match="does not name each of them once"):
        decode(bytes(blob))
