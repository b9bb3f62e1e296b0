"""The tables of docs/shrink.md: they are what the results in `models/shrunk/` say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import write_shrink  # noqa: E402  # scripts/ is no package

RECORDS = [json.loads(path.read_text("utf-8")) for path in sorted(write_shrink.RESULTS.glob("*.json"))]


def record(seed: int, arena: int, accuracy: float, factor: float = 10) -> dict[str, object]:
    return {
        "data": "watch", "method": "both", "aim": "arena", "factor": factor, "seed": seed, "accuracy": accuracy,
        "cost": {"arena": arena}, "stock": {"arena": 1000},
    }  # fmt: skip


def test_the_page_says_what_the_results_say() -> None:
    """To update: `python scripts/write_shrink.py`."""
    assert write_shrink.PAGE.read_text("utf-8") == write_shrink.page()


@pytest.mark.parametrize("found", [r for r in RECORDS if r.get("method") in write_shrink.METHODS])
def test_a_result_keeps_to_its_limit_and_was_verified(found: dict[str, object]) -> None:
    cost = found["cost"]
    assert isinstance(cost, dict)
    assert found["fits"] is (cost["arena"] <= found["limit"]) or found["method"] == "split"
    assert found["bit_exact"] is (None if found["method"] == "prune" else True)


def test_what_is_lost_is_the_mean_over_the_seeds_that_both_have() -> None:
    row = write_shrink.Row(
        [record(0, 90, 0.9), record(1, 100, 0.8), record(2, 80, 0.1)], [record(0, 500, 0.9), record(1, 500, 0.9)]
    )
    assert row.drop == pytest.approx(0.05)
    assert row.most("arena") == 100
    assert row.accuracy() == "85.0% (80.0% to 90.0%)"


def test_the_smallest_network_that_is_as_accurate_is_the_one_shown() -> None:
    whole = [record(0, 500, 0.9)]
    rows = {
        ("watch", "both", "arena", float(factor)): write_shrink.Row([record(0, 1000 // factor, accuracy)], whole)
        for factor, accuracy in ((4, 0.9), (5, 0.897), (10, 0.8))
    }
    best = write_shrink.best(rows, "watch", "both")
    assert best is not None and best.most("arena") == 200
    assert write_shrink.best(rows, "watch", "prune") is None
