"""What does `inspect` say of a file that is split already?"""

from __future__ import annotations

import pytest
from optimized import optimized
from user_models import DSCNN, small_network

import tflm_split
from tflm_split.analysis.liveness import covered_bytes, live_bytes_per_operator
from tflm_split.errors import ProgramError
from tflm_split.program.in_model import programs_of
from tflm_split.report.inspection import inspect_model, inspection_text
from tflm_split.report.programs import program_lines
from tflm_split.tflite.reader import read_model


@pytest.fixture(scope="module")
def split() -> tflm_split.Result:
    return optimized(DSCNN)


def test_a_split_file_tells_what_its_program_does(split: tflm_split.Result) -> None:
    record, operators = inspect_model(split.model)
    (program,) = record["programs"]
    assert program["steps"] == split.report["optimized"]["steps"]
    assert program["program_bytes"] == split.report["optimized"]["program_bytes"]
    assert program["predicted_instructions"] == split.report["latency"]["predicted_instructions"]
    assert program["kinds"] == {"CONV": 6, "DEPTHWISE": 4, "SOFTMAX": 1, "SUM_FEED": 1}
    text = inspection_text(record, operators)
    assert f"op 0 TFLM_SPLIT runs 12 operators in {program['steps']} steps" in text
    assert "can be split" not in text and "stock" not in text
    assert "1 operator, split already" in repr(tflm_split.inspect(split.model))


def test_a_file_says_for_which_board_its_plan_was_made(split: tflm_split.Result) -> None:
    (program,) = inspect_model(split.model)[0]["programs"]
    assert (program["made_for"], program["board"]) == ("m7", "m7")
    other = tflm_split.optimize(small_network(), board="m55", effort="low", verify=False)
    (program,) = inspect_model(other.model)[0]["programs"]
    assert (program["made_for"], program["board"]) == ("m55", "m55")
    assert program["predicted_instructions"] == other.report["latency"]["predicted_instructions"]
    assert "its plan was made for m55" in " ".join(program_lines([program]))
    renamed = other.model.replace(b"program_0 for m55", b"program_0 for m99")
    (program,) = inspect_model(renamed)[0]["programs"]
    assert (program["made_for"], program["board"]) == (None, "m7")
    assert "made for" not in " ".join(program_lines([program]))


def test_what_lasts_from_run_to_run_is_said(split: tflm_split.Result) -> None:
    record, _ = inspect_model(split.model)
    (program,) = record["programs"]
    assert program["state_bytes"] == 0
    assert "run to run" not in " ".join(program_lines([program]))
    assert "3,472 B that last from run to run" in " ".join(program_lines([{**program, "state_bytes": 3472}]))


def test_live_bytes_of_a_split_file_lie_within_its_head(split: tflm_split.Result) -> None:
    record, _ = inspect_model(split.model)
    (operator,) = record["operators"]
    assert operator["treatment"] == "program"
    assert operator["live_bytes"] == record["live_peak_bytes"] == record["programs"][0]["workspace_bytes"]
    assert record["live_peak_bytes"] <= record["predicted_head_bytes"]
    assert [op["live_bytes"] for op in tflm_split.inspect(split.model).operators()] == [operator["live_bytes"]]


def test_a_file_that_is_not_split_has_no_programs() -> None:
    record, _ = inspect_model(small_network())
    assert record["programs"] == []


def test_a_damaged_program_is_refused(split: tflm_split.Result) -> None:
    (blob,) = programs_of(read_model(split.model)).values()
    altered = bytearray(split.model)
    altered[split.model.index(blob) + len(blob) // 2] ^= 1
    with pytest.raises(ProgramError, match="checksum"):
        inspect_model(bytes(altered))


def test_optimising_a_split_file_again_says_so(split: tflm_split.Result) -> None:
    again = tflm_split.optimize(split.model, verify=False)
    assert [r["reason"] for r in again.report["refusals"]] == ["it is split already"]
    assert again.model == split.model


def test_bytes_that_tensors_share_count_once() -> None:
    assert covered_bytes([]) == 0
    assert covered_bytes([(8, 8), (0, 4), (10, 2), (12, 8)]) == 4 + 12
    graph = read_model(DSCNN).graph
    apart = live_bytes_per_operator(graph)
    at_zero = dict.fromkeys(range(len(graph.tensors)), 0)
    assert all(
        shared < alone for shared, alone in zip(live_bytes_per_operator(graph, addresses=at_zero), apart, strict=True)
    )
