"""Small networks after public reports, each for its whole kind: the head that it has reached, verified in TFLM.

They lie beside the corpus, and the tests skip where they are absent.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from optimized import optimized as optimized_once
from tflite_helpers import CORPUS

CASES = CORPUS.parent / "cases"
HEADS = {
    "e_collapse_pool": 2_496,
    "e_raw16000": 16_848,
    "e_wavenet2000": 2_560,
    "eegnet_22x256": 6_944,
}
"""Model -> the head in bytes."""


def case(name: str) -> Path:
    path = CASES / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"no {path.name} beside the corpus")
    return path


@pytest.mark.parametrize("name", HEADS)
def test_the_head_of_a_case_is_no_larger_than_before(name: str) -> None:
    report = optimized_once(case(name)).report
    assert report["verified"]["bit_exact"] is True
    assert report["verified"]["distinct_outputs"] > 1
    optimized = report["optimized"]
    assert optimized["planned_head_bytes"] == optimized["measured_head_bytes"] <= HEADS[name]
