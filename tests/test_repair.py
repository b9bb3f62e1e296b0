"""The repair loop in C and its Python twin take the same decisions; every layout they meet is sound."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tflm_split.plan.check import check_layout
from tflm_split.plan.first_fit import FirstFit
from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem import Body, Layout, Span, live_lower_bound
from tflm_split.plan.repair import Dice, Repairer, native


@st.composite
def bodies(draw: st.DrawFn) -> list[Body]:
    """Pieces, tensors whose rows die one after the other, and rows that hang together."""
    found = []
    for _ in range(draw(st.integers(1, 24))):
        start = draw(st.integers(0, 20))
        size = 4 * draw(st.integers(1, 30))
        if draw(st.booleans()):
            found.append(Body((Span(start, start + draw(st.integers(1, 9)), 0, size),), 4))
        else:
            rows = draw(st.integers(1, 5))
            spans = tuple(Span(start, start + 1 + k, k * size, size) for k in range(rows))
            found.append(Body(spans, draw(st.sampled_from([4, 16]))))
    return found


def test_the_host_library_has_the_repair_loop() -> None:
    assert native() is not None


@settings(max_examples=60, deadline=None)
@given(bodies(), st.integers(0, 5))
def test_both_loops_give_the_same_layout(problem: list[Body], seed: int) -> None:
    assert plan(problem, 2, seed) == plan(problem, 2, seed, use_native=False)


@settings(max_examples=60, deadline=None)
@given(bodies(), st.booleans(), st.integers(0, 5))
def test_repairs_keep_a_layout_sound_and_never_make_it_worse(problem: list[Body], best_fit: bool, seed: int) -> None:
    repairer = Repairer(FirstFit(problem), live_lower_bound(problem), native())
    order = list(range(len(problem)))
    before = repairer.placed(order, {}, best_fit)
    after = repairer.repaired(order, before, {}, best_fit, 50, seed)
    for addresses in (before, after):
        check_layout(problem, Layout(tuple(addresses), repairer.rank(addresses)[0], ""))
    assert repairer.rank(after) <= repairer.rank(before)
    assert repairer.rank(after)[0] >= live_lower_bound(problem)


def test_what_is_pinned_stays() -> None:
    problem = [
        Body((Span(0, 4, 0, 64), Span(0, 9, 64, 64)), 16),
        *(Body((Span(k, k + 2, 0, 60),), 4) for k in range(8)),
    ]
    repairer = Repairer(FirstFit(problem), live_lower_bound(problem), native())
    order = list(range(len(problem)))
    addresses = repairer.repaired(order, repairer.placed(order, {0: 96}, False), {0: 96}, False, 100, 1)
    assert addresses[0] == 96


def test_the_dice_are_the_same_everywhere() -> None:
    dice = Dice(0)
    assert [dice.roll() for _ in range(3)] == [603088677, 1441256276, 1558742727]
