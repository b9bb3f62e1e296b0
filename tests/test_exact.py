"""The solver finds the optimum, proves it, and gives the same answer every time."""

from __future__ import annotations

import sys
from itertools import product
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflm_split.errors import InputError
from tflm_split.plan import exact, portfolio
from tflm_split.plan.check import check_layout
from tflm_split.plan.effort import DEFAULT_EFFORT, EFFORTS, EXACT_EFFORT, parse_effort
from tflm_split.plan.exact import available, solve_exactly
from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem import Body, Layout, Leeway, Span, head_bytes

needs_solver = pytest.mark.skipif(not available(), reason="the solver is not installed: tflm-split[exact]")

Problem = tuple[list[Body], list[Leeway]]
UNITS = 9


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Up to four pieces of up to three words. Some may lie on the piece before."""
    bodies: list[Body] = []
    leeways: list[Leeway] = []
    for b in range(draw(st.integers(1, 4))):
        start, life, size = draw(st.integers(0, 4)), draw(st.integers(1, 3)), 4 * draw(st.integers(1, 3))
        if bodies and bodies[-1].stop - bodies[-1].start > 1 and draw(st.booleans()):
            start = bodies[-1].stop - 1
            leeways.append(Leeway(b - 1, b, 4 * draw(st.integers(0, 2))))
        bodies.append(Body((Span(start, start + life, 0, size),), 4))
    return bodies, leeways


def sound(bodies: list[Body], addresses: tuple[int, ...], leeways: list[Leeway]) -> bool:
    """Whether addresses are sound, by the definition of a leeway, with no code of planner or checker."""
    for b, c in product(range(len(bodies)), repeat=2):
        first, second = bodies[b].spans[0], bodies[c].spans[0]
        apart_in_time = first.stop <= second.start or second.stop <= first.start
        apart_in_bytes = addresses[b] + first.bytes <= addresses[c] or addresses[c] + second.bytes <= addresses[b]
        if b >= c or apart_in_time or apart_in_bytes:
            continue
        if not any(
            {x.read, x.written} == {b, c}
            and (
                addresses[x.read] == addresses[x.written]
                if x.distance_bytes == 0
                else addresses[x.written] + x.distance_bytes <= addresses[x.read]
            )
            for x in leeways
        ):
            return False
    return True


def optimum_bytes(bodies: list[Body], leeways: list[Leeway]) -> int:
    """The smallest head over all possible addresses."""
    top = sum(b.bytes for b in bodies)
    return min(
        head_bytes(bodies, addresses)
        for addresses in product(range(0, min(top, 4 * UNITS), 4), repeat=len(bodies))
        if sound(bodies, addresses, leeways)
    )


def stacked(bodies: list[Body]) -> Layout:
    """Each body above the one before."""
    addresses = tuple(sum(b.bytes for b in bodies[:k]) for k in range(len(bodies)))
    return Layout(addresses, head_bytes(bodies, addresses), "stacked")


@needs_solver
@settings(max_examples=30, deadline=None)
@given(problems())
def test_tiny_problems_are_solved_to_the_optimum_and_proved(problem: Problem) -> None:
    bodies, leeways = problem
    before = stacked(bodies)
    exact = solve_exactly(bodies, before, 1.0, leeways)
    found = head_bytes(bodies, exact.addresses) if exact.addresses else before.head_bytes
    check_layout(bodies, Layout(exact.addresses or before.addresses, found, ""), leeways)
    assert found == optimum_bytes(bodies, leeways)
    assert found - 4 < exact.lower_bound_bytes <= found


def hard() -> list[Body]:
    """At most six words are live, and six are enough, but placing bodies one by one does not reach that."""
    lives = ((1, 2, 1), (3, 4, 2), (3, 5, 2), (4, 7, 3), (2, 3, 1), (2, 4, 2))
    return [Body((Span(start, stop, 0, 4 * words),), 4) for start, stop, words in lives]


@needs_solver
def test_the_solver_has_the_same_answer_every_time() -> None:
    bodies = [Body((Span(k, k + 4 + k % 3, 0, 60 if k % 2 else 100),), 4) for k in range(12)]
    assert solve_exactly(bodies, stacked(bodies), 0.5) == solve_exactly(bodies, stacked(bodies), 0.5)


@needs_solver
def test_the_solver_is_used_from_high_effort_on_where_the_bound_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portfolio, "VISITS_PER_EFFORT", 0)
    before, after = plan(hard(), EXACT_EFFORT - 1), plan(hard(), EXACT_EFFORT)
    assert (before.head_bytes, before.lower_bound_bytes, before.solver) == (28, 24, "squeeze")
    assert (after.head_bytes, after.lower_bound_bytes, after.solver) == (24, 24, "CP-SAT")
    assert after.technique == before.technique + ", improved by CP-SAT"


def test_without_the_solver_the_layout_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portfolio, "available", lambda: False)
    monkeypatch.setattr(portfolio, "VISITS_PER_EFFORT", 0)
    layout = plan(hard(), EXACT_EFFORT)
    assert layout.solver == "CP-SAT asked for, not installed"
    assert layout.head_bytes == plan(hard(), EXACT_EFFORT - 1).head_bytes


def test_an_effort_is_a_word_or_a_number() -> None:
    assert [parse_effort(word) for word in EFFORTS] == sorted(EFFORTS.values())
    assert parse_effort("default") == DEFAULT_EFFORT
    assert parse_effort("20") == parse_effort(20) == 20
    for wrong in ("hgih", "-1", "", "1.5", -1):
        with pytest.raises(InputError, match="the effort is"):
            parse_effort(wrong)


@needs_solver
def test_where_tensorflow_is_loaded_the_solver_has_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two crash in one process."""
    monkeypatch.setitem(sys.modules, "tensorflow", ModuleType("tensorflow"))
    monkeypatch.setattr(exact, "_solve", None)
    found = solve_exactly(hard(), stacked(hard()), 0.5)
    assert found.addresses is not None
    assert head_bytes(hard(), found.addresses) == 24
    assert 24 - 4 < found.lower_bound_bytes <= 24
