"""A search changes how often Python collects garbage, and puts it back."""

from __future__ import annotations

import gc

import pytest

from tflm_split.search.garbage import NEW_OBJECTS, rare_collections


@rare_collections()
def _fails() -> float:
    return 1 / 0


@pytest.mark.parametrize("threshold", [(700, 10, 10), (0, 10, 10), (2 * NEW_OBJECTS, 5, 5)])
def test_the_callers_thresholds_hold_again_whatever_happens(threshold: tuple[int, int, int]) -> None:
    before = gc.get_threshold()
    try:
        gc.set_threshold(*threshold)
        with pytest.raises(ZeroDivisionError):
            _fails()
        with rare_collections():
            assert gc.get_threshold()[0] == (NEW_OBJECTS if threshold[0] == 700 else threshold[0])
        assert gc.get_threshold() == threshold
    finally:
        gc.set_threshold(*before)
