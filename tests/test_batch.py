"""Several models at once: all are optimised, one that cannot be does not stop the others, and one table says so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from user_models import small_network

from tflm_split.answers.batch import usable_cores
from tflm_split.cli import main
from tflm_split.tflite.reader import read_model


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return int(ended.value.code or 0)


def test_a_broken_file_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, out = tmp_path / "good.tflite", tmp_path / "bad.tflite", tmp_path / "out"
    good.write_bytes(small_network())
    bad.write_bytes(b"no model at all")
    out.mkdir()
    assert run("optimize", good, bad, "-o", out, "--effort", "low", "--inputs", "2") == 2
    said = capsys.readouterr().out
    assert "good" in said and "failed" in said and "bad.tflite: " in said
    assert [p.name for p in out.iterdir()] == ["good_split.tflite"]
    assert read_model(out / "good_split.tflite").graph.operators


def test_records_of_all_are_one_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    for path in paths:
        path.write_bytes(small_network())
    assert run("optimize", *paths, "--no-verify", "--effort", "low", "--json", "-", "--max-arena", "100") == 1
    records = json.loads(capsys.readouterr().out)
    assert [r["model"]["name"] for r in records] == ["a", "b"]


def test_the_number_of_jobs_changes_no_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    for path in paths:
        path.write_bytes(small_network())
    made = []
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        out.mkdir()
        assert run("optimize", *paths, "-o", out, "--no-verify", "--effort", "low", "--jobs", jobs) == 0
        made.append([path.read_bytes() for path in sorted(out.iterdir())])
    assert made[0] == made[1] and len(made[0]) == 2
    capsys.readouterr()
    assert run("optimize", *paths, "--jobs", 0) == 2
    assert "--jobs" in capsys.readouterr().err
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_what_cannot_be_is_refused_before_anything_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, other = tmp_path / "a.tflite", tmp_path / "x" / "a.tflite"
    other.parent.mkdir()
    for p in (path, other):
        p.write_bytes(small_network())
    assert run("optimize", path, other, "-o", tmp_path / "nowhere") == 2
    assert run("optimize", path, other, "-o", tmp_path) == 2
    assert run("optimize", path, other, "--plan-out", tmp_path / "p.json") == 2
    assert run("optimize", path, tmp_path / "absent.tflite") == 2
    errors = capsys.readouterr().err.splitlines()
    assert (
        len(errors) == 4
        and "no such file" in errors[3]
        and "no folder" in errors[0]
        and "same name" in errors[1]
        and "for one model" in errors[2]
    )
