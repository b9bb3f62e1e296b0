"""What `why` promises is what the option gives when it is applied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from user_models import small_network

import tflm_split
from tflm_split.answers.why import why, why_text
from tflm_split.cli import main
from tflm_split.options import Options
from tflm_split.report.record_types import BUDGET_KEY

WORDS = {
    "--stream-input": {"stream_input": 1},
    "--int8-io": {"int8_io": True},
    "--int8-io --stream-input": {"int8_io": True, "stream_input": 1},
    "--max-slowdown 2": {"max_slowdown": 2.0},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("why") / "net.tflite"
    path.write_bytes(small_network())
    return path


def test_each_way_gives_the_arena_that_it_promises(model: Path) -> None:
    record = why(model, Options(effort="low"))
    assert {way["option"] for way in record["ways"]} == set(WORDS)
    for way in record["ways"]:
        if way["refused"] is None:
            applied = tflm_split.optimize(model, effort="low", verify=False, **WORDS[way["option"]])  # type: ignore[arg-type]
            assert applied.report["optimized"][BUDGET_KEY] == way["set_aside_bytes"]
            assert way["saved_bytes"] == max(0, record["set_aside_bytes"] - (way["set_aside_bytes"] or 0))
        else:
            assert way["saved_bytes"] == 0 and way["refused"] in why_text(record)


def test_the_fewest_things_that_break_the_limit_are_named(model: Path) -> None:
    free = why(model, Options(effort="low"))
    limit = free["set_aside_bytes"] - 64
    record = why(model, Options(effort="low", max_arena_bytes=limit))
    together = [held["bytes"] for held in record["together"]]
    assert record["fits"] is False
    assert record["rest_bytes"] + sum(together) > limit
    assert len(together) == 1 or record["rest_bytes"] + sum(together[:-1]) <= limit
    assert together == sorted(together, reverse=True)


def test_the_command_says_whether_it_fits(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arena, code in (("1MB", 0), ("400", 1)):
        with pytest.raises(SystemExit) as ended:
            main(["why", str(model), "--effort", "low", "--arena", arena, "--json"])
        assert ended.value.code == code
        assert json.loads(capsys.readouterr().out)["fits"] is (code == 0)
