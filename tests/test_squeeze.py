"""The loops in C decide as their Python twins do. Squeezing finds layouts that no order of placing finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflm_split.native import loops
from tflm_split.native.loops import native
from tflm_split.plan.check import check_layout
from tflm_split.plan.first_fit import Distances
from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem import Body, Layout, Leeway, Span, head_bytes, packing_lower_bound
from tflm_split.plan.squeeze import Dice, squeeze

Problem = tuple[list[Body], list[Leeway]]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Pieces, tensors whose rows die one after the other, and pieces that may lie on one that dies."""
    bodies: list[Body] = []
    leeways: list[Leeway] = []
    for _ in range(draw(st.integers(1, 20))):
        start, life = draw(st.integers(0, 20)), draw(st.integers(1, 9))
        size = draw(st.integers(1, 120))
        kind = draw(st.sampled_from(["piece", "rows", "follower"]))
        if kind == "rows":
            rows = draw(st.integers(1, 5))
            spans = tuple(Span(start, start + 1 + k, k * size, size) for k in range(rows))
            bodies.append(Body(spans, draw(st.sampled_from([4, 16]))))
            continue
        if kind == "follower" and bodies and len(bodies[-1].spans) == 1 and bodies[-1].stop - bodies[-1].start > 1:
            start = bodies[-1].stop - 1
            leeways.append(Leeway(len(bodies) - 1, len(bodies), 4 * draw(st.integers(0, 8))))
        bodies.append(Body((Span(start, start + life, 0, size),), 4))
    return bodies, leeways


def test_the_host_library_has_the_planners_loops() -> None:
    assert native() is not None


def test_without_the_library_it_is_said_once_that_it_will_be_slow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On the command line it is one line on stderr (`cli.py`), in Python a warning."""
    monkeypatch.setattr(loops, "LIBRARY_PATH", tmp_path / "none.so")
    loops.native.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="was not built for this machine") as said:
            found = [loops.native() for _ in range(2)]
        assert found == [None, None]
        assert len(said) == 1
    finally:
        monkeypatch.undo()
        loops.native.cache_clear()


@settings(max_examples=100, deadline=None)
@given(problems())
def test_both_ways_of_listing_pairs_give_the_same_pairs(problem: Problem) -> None:
    in_c, in_python = Distances(*problem), Distances(*problem, use_native=False)
    for column in ("pair_first", "pair_body", "pair_low", "pair_high", "pair_twin"):
        assert getattr(in_c, column).tolist() == getattr(in_python, column).tolist()


@settings(max_examples=60, deadline=None)
@given(problems(), st.booleans())
def test_both_ways_of_placing_give_the_same_addresses(problem: Problem, best_fit: bool) -> None:
    distances = Distances(*problem)
    order = range(len(problem[0]))
    assert distances.place(order, {0: 64}, best_fit) == distances.place(order, {0: 64}, best_fit, use_native=True)


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 5), st.integers(0, 100))
def test_both_ways_of_squeezing_give_the_same_addresses(problem: Problem, seed: int, above_bytes: int) -> None:
    distances = Distances(*problem)
    start = distances.place(range(len(problem[0])))
    height = packing_lower_bound(*problem) + above_bytes
    first = squeeze(distances, start, height, 3000, seed)
    assert first == squeeze(distances, start, height, 3000, seed, use_native=False)
    if first[0] is not None:
        check_layout(problem[0], Layout(tuple(first[0]), height, ""), problem[1])


@settings(max_examples=60, deadline=None)
@given(problems())
def test_what_two_bodies_must_keep_from_each_other_is_the_same_from_both_sides(problem: Problem) -> None:
    distances = Distances(*problem)
    twin = distances.pair_twin
    assert (twin[twin] == range(distances.pairs)).all()
    assert (distances.pair_low == -distances.pair_high[twin]).all()
    assert (distances.pair_body[twin] == np.repeat(range(len(problem[0])), np.diff(distances.pair_first))).all()


def staggered() -> list[Body]:
    """Rows of two sizes with staggered lifetimes. Whatever is placed first leaves holes that do not fit the others."""
    return [Body((Span(k, k + 4 + k % 3, 0, 60 if k % 2 else 100),), 4) for k in range(30)]


def test_squeezing_alone_lowers_a_head_that_no_placing_order_lowers() -> None:
    bodies = staggered()
    placed, squeezed = plan(bodies, 0), plan(bodies, 20)
    assert (placed.solver, squeezed.solver) == ("first fit", "squeeze")
    assert squeezed.head_bytes < placed.head_bytes
    assert head_bytes(bodies, squeezed.addresses) == squeezed.head_bytes >= packing_lower_bound(bodies)


def test_visits_are_all_that_limits_it() -> None:
    bodies = staggered()
    distances = Distances(bodies)
    start = distances.place(range(len(bodies)))
    found, left = squeeze(distances, start, packing_lower_bound(bodies) - 4, 5000, 1)
    assert found is None
    most_pairs = int(np.diff(distances.pair_first).max())
    assert -most_pairs < left <= 0


def test_the_dice_are_the_same_everywhere() -> None:
    dice = Dice(0)
    assert [dice.roll() for _ in range(3)] == [603088677, 1441256276, 1558742727]


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(0, 5), st.integers(1, 300))
def test_a_search_that_is_asked_how_it_goes_goes_on_as_if_it_had_not_been(
    problem: Problem, seed: int, at_once: int
) -> None:
    distances = Distances(*problem)
    start = distances.place(range(len(problem[0])))
    height = packing_lower_bound(*problem)
    asked: list[int] = []
    whole = squeeze(distances, start, height, 3000, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tflm_split.plan.squeeze.VISITS_AT_ONCE", at_once)
        assert squeeze(distances, start, height, 3000, seed, tick=lambda: asked.append(1)) == whole
    assert asked
    assert len(asked) <= 1 + (3000 - whole[1]) // at_once
