"""The least time between two lines agrees with a simulated queue; the last call counts for nobody's line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tflm_split.analysis.line_time import busiest_call, line_time


def keeps_up(work: list[int], fifo: int, time: int) -> bool:
    """Line c comes at c * time and waits for its call. Its place is free once the call is done: before line c + fifo comes."""
    done = 0
    for c, taken in enumerate(work[:-1]):
        done = max(done, c * time) + taken
        if done > (c + fifo) * time:
            return False
    return True


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(1, 4))
def test_the_line_time_is_the_least_that_a_queue_keeps_up_with(work: list[int], fifo: int) -> None:
    least = line_time(work, fifo)
    assert keeps_up(work, fifo, least)
    assert least == 0 or not keeps_up(work, fifo, least - 1)


def test_a_longer_queue_never_needs_more_time() -> None:
    work = [5, 40, 0, 0, 30, 3, 900]
    assert [line_time(work, n) for n in (1, 2, 4, 8)] == [40, 20, 10, 7]


def test_the_last_call_is_left_out() -> None:
    assert busiest_call([1, 7, 2, 7, 100]) == 1
    assert line_time([4, 100]) == 4
