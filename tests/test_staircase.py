"""Which results are on a front: none is beaten in both, and those of a second front are added."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tflm_split.search.staircase import staircase, with_stairs

RESULTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


@given(RESULTS)
def test_each_result_is_on_the_stairs_or_beaten_in_both(results: list[tuple[int, int, int]]) -> None:
    prices, heads = [r[0] for r in results], [r[1] for r in results]
    kept = staircase(prices, heads)
    assert kept == sorted(kept, key=lambda k: prices[k])
    assert all(heads[a] > heads[b] for a, b in pairwise(kept))
    for k in range(len(results)):
        assert any(prices[j] <= prices[k] and heads[j] <= heads[k] for j in kept)


@given(RESULTS)
def test_a_second_front_adds_to_the_first(results: list[tuple[int, int, int]]) -> None:
    prices, heads, others = zip(*results, strict=True)
    first, second = staircase(prices, heads), staircase(others, heads)
    both = with_stairs(first, second, prices, heads)
    assert set(first) <= set(both) <= {*first, *second}
    assert len({heads[k] for k in both}) == len(both)
