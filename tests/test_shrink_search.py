"""A search over a script's networks: killed in the middle, resumed by others, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
pytest.importorskip("optuna", reason="Optuna is not installed")

from tflm_split.errors import InputError
from tflm_split.shrink import heartbeat
from tflm_split.shrink import search as searching
from tflm_split.shrink.heartbeat import GRACE_S, Watch, beating
from tflm_split.shrink.picture import front_svg
from tflm_split.shrink.search import _beats, count_trials, load_script, open_study, search_record, search_text

SCRIPT = Path(os.environ.get("SHRINK_SCRIPT", Path(__file__).parent / "shrink_search_script.py"))
TRIALS = int(os.environ.get("SHRINK_TRIALS", "0"))
"""Trials of the long run, in which processes are killed: 20 take minutes, so only on demand."""

ARENA = os.environ.get("SHRINK_ARENA", "1000")


def command(storage, trials, *words):
    return [
        sys.executable, "-m", "tflm_split", "shrink", "search", str(SCRIPT), "--max-arena", ARENA, "--effort", "low",
        "--trials", str(trials), "--storage", storage, *words,
    ]  # fmt: skip


@pytest.mark.skipif(not TRIALS, reason="got empty parameter set: a long run, only with SHRINK_TRIALS")
def test_a_killed_search_is_resumed_by_two_processes_and_no_trial_is_lost(tmp_path):
    storage, record = f"sqlite:///{tmp_path}/study.db", tmp_path / "front.json"
    first = subprocess.Popen(command(storage, TRIALS))
    while not (tmp_path / "study.db").exists() or count_trials(open_study(storage, "shrink", 0))[0] < TRIALS // 3:
        time.sleep(1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    both = [subprocess.Popen(command(storage, TRIALS, *more)) for more in ((), ("--json", str(record)))]
    assert [process.wait() for process in both] == [0, 0]
    found = search_record(open_study(storage, "shrink", 0))
    assert len(found["trials"]) == TRIALS
    assert found == json.loads(record.read_text())
    study = open_study(storage, "shrink", 0)
    assert sorted(found["front"]) == sorted(trial.number for trial in study.best_trials)


def ask(study):
    trial = study.ask()
    trial.suggest_int("width", 4, 16)
    return trial


@pytest.fixture(params=["{}/study.journal", "sqlite:///{}/study.db"], ids=["journal", "database"])
def storage(request, tmp_path):
    return request.param.format(tmp_path)


def test_a_search_does_the_trial_of_a_killed_process_again(storage, monkeypatch):
    script = (
        "import sys, time; from tflm_split.shrink.search import open_study; study = open_study(sys.argv[1], 'x', 0)\n"
        "study.optimize(lambda trial: (trial.suggest_int('width', 4, 16), print('runs', flush=True), time.sleep(600)))"
    )
    first = subprocess.Popen([sys.executable, "-c", script, storage], stdout=subprocess.PIPE)
    assert first.stdout.readline() == b"runs\n"
    first.kill()
    first.communicate()
    monkeypatch.setattr(heartbeat, "GRACE_S", 0.2)
    monkeypatch.setattr(searching, "WAIT_S", 0.05)
    monkeypatch.setattr(searching, "one_trial", lambda script, study, trial, *_: (trial.params["width"], 1.0, 1.0))
    study = open_study(storage, "x", 1)
    searching.search(None, study, 1000, 1, {})
    killed, again = study.trials
    assert (killed.state.name, again.state.name) == ("FAIL", "COMPLETE")
    assert again.params == killed.params


def test_a_trial_is_given_up_once_and_only_after_it_stood_still_for_the_grace(storage):
    study = open_study(storage, "x", 0)
    ask(study)
    now_s = [0.0]
    watches = [Watch(open_study(storage, "x", 0), lambda: now_s[0]) for _ in range(2)]
    for now_s[0], states in ((0, ["RUNNING"]), (GRACE_S, ["RUNNING"]), (GRACE_S + 1, ["FAIL", "WAITING"])):
        for watch in watches:
            watch.give_up_dead()
        assert [trial.state.name for trial in study.trials] == states


def test_a_trial_whose_process_counts_on_is_not_given_up(storage, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0.01)
    study, now_s = open_study(storage, "x", 0), [0.0]
    watch = Watch(open_study(storage, "x", 0), lambda: now_s[0])
    with beating(study, ask(study)):
        for now_s[0] in (0, GRACE_S + 1, 2 * GRACE_S + 2):
            watch.give_up_dead()
            time.sleep(0.3)
    assert count_trials(study) == (0, 1)


def test_of_processes_that_ask_at_once_none_runs_a_trial_too_many(storage, monkeypatch):
    monkeypatch.setattr(searching, "WAIT_S", 0.01)
    study, run = open_study(storage, "x", 0), []
    first, second = ask(study), ask(study)
    assert not searching.is_surplus(study, first, 1)
    assert searching.is_surplus(study, second, 1)
    study.enqueue_trial({"width": 7})
    searching.run_one(study, run.append, 2)
    assert not run
    assert [trial.state.name for trial in study.trials] == ["RUNNING", "RUNNING", "FAIL", "WAITING"]
    searching.run_one(study, lambda trial: (trial.suggest_int("width", 4, 16), 1.0, 1.0), 3)
    assert study.trials[3].values == [7, 1, 1]


def test_a_trial_that_fails_is_told_to_the_study_and_raises(storage):
    import optuna

    def fail(fault):
        raise fault

    study = open_study(storage, "x", 0)
    searching.run_one(study, lambda trial: fail(optuna.TrialPruned()), 3)
    with pytest.raises(KeyboardInterrupt):
        searching.run_one(study, lambda trial: fail(KeyboardInterrupt()), 3)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "FAIL"]


def test_the_front_is_what_no_other_trial_beats():
    import optuna

    study = open_study("sqlite:///:memory:", "made", 0)
    for values in ((0.9, 100, 5), (0.8, 100, 5), (0.8, 90, 7), (0.7, 95, 9)):
        distribution = optuna.distributions.IntDistribution(0, 1000)
        study.add_trial(
            optuna.trial.create_trial(params={"arena": values[1]}, distributions={"arena": distribution}, values=values)
        )
    record = search_record(study)
    assert record["front"] == [0, 2] == sorted(trial.number for trial in study.best_trials)
    assert search_text(record).splitlines()[1].endswith("arena=90")
    assert front_svg(record).count("<circle") == 4
    assert _beats((1, 2, 3), (0, 2, 3)) and not _beats((1, 2, 3), (1, 2, 3))


def test_storages_and_scripts_that_are_none_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"needs a database \(sqlite:///study.db\) or a file study.journal"):
        open_study("study.db", "x", 0)
    with pytest.raises(InputError, match="cannot be opened"):
        open_study(f"sqlite:///{tmp_path}/none/study.db", "x", 0)
    script = tmp_path / "train.py"
    with pytest.raises(InputError, match="no such file"):
        load_script(script)
    script.write_text("def network(trial): ...\n")
    with pytest.raises(InputError, match="defines no function data"):
        load_script(script)
    script.write_text("1 / 0\n")
    with pytest.raises(InputError, match="fails: ZeroDivisionError"):
        load_script(script)
