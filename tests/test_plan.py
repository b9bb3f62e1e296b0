"""The layout checker finds every planted fault. The planner is sound, bounded and close to the optimum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tflm_split.errors import InternalError
from tflm_split.plan.check import check_layout
from tflm_split.plan.first_fit import Distances
from tflm_split.plan.portfolio import ORDERS, Start, plan
from tflm_split.plan.problem import Body, Layout, Leeway, Span, head_bytes, live_lower_bound, packing_lower_bound


def piece(start: int, stop: int, size: int, align: int = 4) -> Body:
    return Body((Span(start, stop, 0, size),), align)


@st.composite
def many_bodies(draw: st.DrawFn, count: int = 8, sizes: tuple[int, ...] = (4, 8, 12, 20, 32)) -> list[Body]:
    """Pieces, tensors whose rows die one after the other, and chains of rows in place."""
    found = []
    for _ in range(draw(st.integers(1, count))):
        size, start = draw(st.sampled_from(sizes)), draw(st.integers(0, 9))
        kind = draw(st.sampled_from(["piece", "piece", "input", "output", "in place", "run over"]))
        life = draw(st.integers(1, 6))
        if kind == "piece":
            found.append(piece(start, start + life, size))
        elif kind == "input":
            found.append(Body(tuple(Span(0, start + r, r * size, size) for r in range(3)), 16))
        elif kind == "output":
            found.append(Body(tuple(Span(start + r, 15, r * size, size) for r in range(3)), 16))
        elif kind == "in place":
            found.append(Body((Span(start, start + life, 0, size), Span(start + life, start + life + 2, 0, size)), 4))
        else:
            stop = start + life
            found.append(
                Body((Span(start, stop, 4, size), Span(stop, stop + 2, 0, size), Span(stop, stop + 1, size, 4)), 4)
            )
    return found


def overlaps(bodies: Sequence[Body], addresses: Sequence[int]) -> bool:
    """Whether two live bodies share a byte, checked byte by byte and step by step."""
    taken: set[tuple[int, int]] = set()
    for body, address in zip(bodies, addresses, strict=True):
        for span in body.spans:
            for t, byte in product(range(span.start, span.stop), range(span.bytes)):
                at = (t, address + span.offset + byte)
                if at in taken:
                    return True
                taken.add(at)
    return False


# The checker.


@settings(max_examples=200, deadline=None)
@given(many_bodies(), st.data())
def test_the_checker_agrees_with_counting_bytes(bodies: list[Body], data: st.DataObject) -> None:
    addresses = tuple(data.draw(st.integers(0, 6)) * b.align for b in bodies)
    layout = Layout(addresses, head_bytes(bodies, addresses), "random")
    if overlaps(bodies, addresses):
        with pytest.raises(InternalError, match="share bytes at step"):
            check_layout(bodies, layout)
    else:
        check_layout(bodies, layout)


def test_the_first_overlap_is_named() -> None:
    bodies = [piece(0, 4, 8), piece(3, 5, 8)]
    check_layout(bodies, Layout((0, 8), 16, ""))
    with pytest.raises(InternalError, match="bodies 1 and 0 share bytes at step 3"):
        check_layout(bodies, Layout((0, 4), 12, ""))


def test_lives_are_half_open() -> None:
    layout = Layout((0, 0), 8, "")
    check_layout([piece(0, 3, 8), piece(3, 5, 8)], layout)
    with pytest.raises(InternalError, match="share bytes at step 3"):
        check_layout([piece(0, 4, 8), piece(3, 5, 8)], layout)


@pytest.mark.parametrize(
    ("layout", "fault"),
    [
        (Layout((2, 16), 32, ""), "body 0 lies at 2, which is not a multiple of 4"),
        (Layout((-4, 16), 32, ""), "body 0 lies at -4, which is not a multiple of 4"),
        (Layout((0, 8), 32, ""), "body 1 lies at 8, which is not a multiple of 16"),
        (Layout((0, 16), 31, ""), "body 1 ends at 32, past the head of 31 B"),
        (Layout((0,), 31, ""), "a layout of 1 addresses for 2 bodies"),
    ],
)
def test_addresses_are_aligned_and_inside_the_head(layout: Layout, fault: str) -> None:
    with pytest.raises(InternalError, match=fault):
        check_layout([piece(0, 3, 8), piece(0, 3, 16, align=16)], layout)


# The planner.


@settings(max_examples=150, deadline=None)
@given(many_bodies(count=20), st.sampled_from([0, 1, 20]))
def test_a_plan_is_sound_and_not_below_the_live_bytes(bodies: list[Body], effort: int) -> None:
    layout = plan(bodies, effort)
    check_layout(bodies, layout)
    assert not overlaps(bodies, layout.addresses)
    assert layout.head_bytes == head_bytes(bodies, layout.addresses) >= live_lower_bound(bodies)


@settings(max_examples=50, deadline=None)
@given(many_bodies(count=14))
def test_the_same_bodies_get_the_same_addresses(bodies: list[Body]) -> None:
    assert plan(bodies, 5) == plan(list(bodies), 5)


@settings(max_examples=50, deadline=None)
@given(many_bodies(count=14))
def test_more_effort_is_never_worse(bodies: list[Body]) -> None:
    heads = [plan(bodies, effort).head_bytes for effort in (0, 2, 20)]
    assert heads == sorted(heads, reverse=True)


@settings(max_examples=100, deadline=None)
@given(many_bodies(count=14), st.booleans())
def test_every_technique_on_its_own_is_sound_and_none_beats_the_portfolio(bodies: list[Body], best_fit: bool) -> None:
    best = plan(bodies, 0).head_bytes
    solver = Distances(bodies)
    for name, key in ORDERS:
        order = sorted(range(len(bodies)), key=lambda b, key=key: (*key(bodies[b]), b))
        addresses = solver.place(order, best_fit=best_fit)
        layout = Layout(tuple(addresses), head_bytes(bodies, addresses), name)
        check_layout(bodies, layout)
        assert best <= layout.head_bytes


def optimum_bytes(bodies: Sequence[Body]) -> int:
    """The smallest head over all orders of placing bodies, each at all addresses where it touches the floor or a body."""
    best = sum(-(-b.bytes // 16) * 16 for b in bodies)

    def fits(placed: dict[int, int], b: int, address: int) -> bool:
        both = [*placed, b]
        return not overlaps([bodies[x] for x in both], [*placed.values(), address])

    for order in permutations(range(len(bodies))):
        placed: dict[int, int] = {}
        for b in order:
            step = bodies[b].align
            placed[b] = next(a for a in range(0, 10_000, step) if fits(placed, b, a))
        best = min(best, head_bytes(bodies, [placed[b] for b in range(len(bodies))]))
    return best


@settings(max_examples=25, deadline=None)
@given(many_bodies(count=4, sizes=(4, 8, 12)))
def test_tiny_problems_are_solved_to_the_optimum(bodies: list[Body]) -> None:
    assert plan(bodies, 20).head_bytes == optimum_bytes(bodies)


def test_lives_like_a_chain_of_layers_reach_the_live_bytes() -> None:
    bodies = [piece(k, k + 2, size) for k, size in enumerate((64, 32, 48, 16, 64, 8))]
    assert plan(bodies, 0).head_bytes == live_lower_bound(bodies) == 96


def test_an_inputs_dead_rows_are_used_at_once() -> None:
    """Four rows die one after the other. Rows that are made meanwhile take their place."""
    image = Body(tuple(Span(0, r + 1, 16 * r, 16) for r in range(4)), 16)
    made = [piece(r + 1, 6, 16) for r in range(3)]
    layout = plan([image, *made], 0)
    assert layout.head_bytes == live_lower_bound([image, *made]) == 64
    assert {a - layout.addresses[0] for a in layout.addresses[1:]} == {0, 16, 32}


def test_nothing_to_place() -> None:
    assert plan([], 5) == Layout((), 0, "empty")


def test_rows_that_never_live_take_room_only_inside_their_own_tensor() -> None:
    image = Body((Span(0, 2, 0, 16), Span(0, 0, 16, 16)), 16)
    other = piece(0, 2, 16)
    assert plan([image, other], 0).head_bytes == 32


# Leeways: a body may lie on one that dies as it is born.

DYING_AND_BORN = (piece(0, 3, 16), piece(2, 5, 16))


@pytest.mark.parametrize(
    ("distance", "dying_at", "born_at", "fault"),
    [
        (8, 8, 0, None),
        (8, 12, 0, None),
        (8, 4, 0, "body 1 lies 4 bytes below body 0 at step 2, needs 8"),
        (8, 0, 8, "body 1 lies -8 bytes below body 0 at step 2, needs 8"),
        (0, 4, 4, None),
        (0, 8, 4, "body 1 lies 4 bytes below body 0 at step 2, needs 0"),
    ],
)
def test_a_leeway_is_a_least_distance_or_the_very_same_address(
    distance: int, dying_at: int, born_at: int, fault: str | None
) -> None:
    layout = Layout((dying_at, born_at), 32, "")
    if fault is None:
        check_layout(DYING_AND_BORN, layout, [Leeway(0, 1, distance)])
    else:
        with pytest.raises(InternalError, match=fault):
            check_layout(DYING_AND_BORN, layout, [Leeway(0, 1, distance)])


def test_a_leeway_holds_in_one_step_only() -> None:
    with pytest.raises(InternalError, match="bodies 1 and 0 share bytes in more than step 2"):
        check_layout([piece(0, 4, 16), piece(2, 5, 16)], Layout((8, 0), 24, ""), [Leeway(0, 1, 8)])


def test_a_leeway_is_used_and_lowers_the_bound_by_what_can_be_shared() -> None:
    assert plan(DYING_AND_BORN, 0).head_bytes == 32
    layout = plan(DYING_AND_BORN, 0, leeways=[Leeway(0, 1, 4)])
    assert layout.addresses == (4, 0)
    assert layout.head_bytes == layout.lower_bound_bytes == 20


@st.composite
def with_leeways(draw: st.DrawFn) -> tuple[list[Body], list[Leeway]]:
    """Pieces. Some may lie on a piece that dies in the step in which they are born."""
    bodies = draw(many_bodies(count=8))
    leeways = []
    for b, dying in enumerate(list(bodies)):
        if len(dying.spans) == 1 and dying.start < dying.stop - 1 and draw(st.booleans()):
            leeways.append(Leeway(b, len(bodies), 4 * draw(st.integers(0, 3))))
            start = dying.stop - 1
            bodies.append(piece(start, start + draw(st.integers(1, 4)), draw(st.sampled_from((4, 12, 20)))))
    return bodies, leeways


@settings(max_examples=100, deadline=None)
@given(with_leeways(), st.sampled_from([0, 1]))
def test_a_plan_with_leeways_is_sound_and_bounded(problem: tuple[list[Body], list[Leeway]], effort: int) -> None:
    bodies, leeways = problem
    layout = plan(bodies, effort, leeways=leeways)
    check_layout(bodies, layout, leeways)
    assert layout.head_bytes >= layout.lower_bound_bytes == packing_lower_bound(bodies, leeways)


# Lower bounds.


def test_what_is_left_of_a_word_behind_a_row_is_of_no_use() -> None:
    bodies = [piece(0, 2, 5), piece(0, 2, 6), piece(0, 2, 7)]
    assert live_lower_bound(bodies) == 18
    assert packing_lower_bound(bodies) == 21
    assert plan(bodies, 0).head_bytes == 21


def test_a_tensor_takes_its_room_even_if_its_rows_never_live_together() -> None:
    bodies = [Body((Span(0, 1, 0, 16), Span(1, 2, 16, 16)), 16)]
    assert live_lower_bound(bodies) == 16
    assert packing_lower_bound(bodies) == 32


def test_a_head_counts_in_granules() -> None:
    assert packing_lower_bound([piece(0, 1, 20)], granule_bytes=16) == 32


def test_a_known_layout_is_never_made_worse() -> None:
    bodies = [piece(k, k + 3, 4 * (1 + k % 4)) for k in range(8)]
    known = plan(bodies, 5)
    again = plan(bodies, 0, starts=[Start(known.addresses, "known")])
    assert again.head_bytes <= known.head_bytes


# Mutations: the checker is what stands between a planner's bug and a broken model.


@settings(max_examples=100, deadline=None)
@given(many_bodies(count=12), st.data())
def test_a_body_moved_onto_a_living_one_is_found(bodies: list[Body], data: st.DataObject) -> None:
    layout = plan(bodies, 0)
    pairs = [
        (a, b)
        for a, b in product(range(len(bodies)), repeat=2)
        if a != b and any(s.start < t.stop and t.start < s.stop for s in bodies[a].spans for t in bodies[b].spans)
    ]
    assume(pairs)
    a, b = data.draw(st.sampled_from(pairs))
    span, other = next(
        (s, t) for s in bodies[a].spans for t in bodies[b].spans if s.start < t.stop and t.start < s.stop
    )
    address = layout.addresses[b] + other.offset - span.offset
    assume(address >= 0 and address % bodies[a].align == 0)
    addresses = (*layout.addresses[:a], address, *layout.addresses[a + 1 :])
    with pytest.raises(InternalError, match="share bytes"):
        check_layout(bodies, Layout(addresses, head_bytes(bodies, addresses), ""))
