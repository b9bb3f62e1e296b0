"""Which of a script's networks are worth having? An Optuna study of accuracy, arena and instructions.

The user's script says what may vary; each trial is one network, pruned to the limit while it is trained, split, and measured
in TFLM. The study's storage is all that processes and machines share. So a search can be killed, resumed, and joined.
"""

from __future__ import annotations

import random
import runpy
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflm_split.errors import InputError, TflmSplitError
from tflm_split.shrink.backend import optuna
from tflm_split.shrink.convert import CALIBRATION_SAMPLES
from tflm_split.shrink.finished import accuracy_in_tflm
from tflm_split.shrink.heartbeat import Watch, beating
from tflm_split.shrink.studied import study as study_model

OBJECTIVES = (("accuracy", "maximize"), ("arena", "minimize"), ("instructions", "minimize"))
WAIT_S = 1.0
FUNCTIONS = ("network", "data", "fit")


@dataclass(frozen=True)
class Script:
    """What a training script defines: `network(trial)`, `data(trial)`, `fit(model, x, y, callbacks)`.

    `network` gives a Keras model, `data` the arrays (x, y, x_test, y_test) with class numbers as y. Both may ask the trial
    for knobs. `fit` compiles and trains.
    """

    path: Path
    network: Callable[[Any], Any]
    data: Callable[[Any], Any]
    fit: Callable[..., Any]


def load_script(path: Path) -> Script:
    """The functions of the script at `path`, which is run. Raises InputError where it cannot be, or lacks one."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        names: Mapping[str, Any] = runpy.run_path(str(path))
    except Exception as fault:  # it is the user's code
        raise InputError(f"{path}: fails: {type(fault).__name__}: {fault}") from fault
    missing = [name for name in FUNCTIONS if not callable(names.get(name))]
    if missing:
        raise InputError(
            f"{path}: defines no function {missing[0]}; it needs network(trial), data(trial), fit(model, x, y, callbacks)"
        )
    return Script(path, names["network"], names["data"], names["fit"])


def open_study(storage: str, name: str, seed: int) -> Any:
    """The study called `name` in `storage`, made if it is not there. Raises InputError where the storage cannot be opened.

    `storage` is a database's URL, such as sqlite:///study.db, or a journal file, which ends in .journal and can be on a
    network's disk.
    """
    o = optuna()
    o.logging.set_verbosity(o.logging.WARNING)  # progress is shown by the bar
    try:
        return _opened(o, storage, name, seed)
    except TflmSplitError:
        raise
    except Exception as fault:  # SQLAlchemy and drivers raise exceptions of their own
        raise InputError(f"the storage {storage} cannot be opened: {str(fault).splitlines()[0]}") from fault


def _opened(o: Any, storage: str, name: str, seed: int) -> Any:
    if storage.endswith(".journal"):
        backend = o.storages.JournalStorage(o.storages.journal.JournalFileBackend(storage))
    elif "://" in storage:
        waits = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else {}
        backend = o.storages.RDBStorage(storage, engine_kwargs=waits)
    else:
        raise InputError(f"the storage is {storage!r}, needs a database (sqlite:///study.db) or a file study.journal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", o.exceptions.ExperimentalWarning)  # `set_metric_names` is called that
        study = o.create_study(
            storage=backend, study_name=name, directions=[d for _, d in OBJECTIVES], load_if_exists=True
        )
        study.sampler = o.samplers.TPESampler(seed=seed + len(study.trials), multivariate=False)
        study.set_metric_names([n for n, _ in OBJECTIVES])
    return study


def search(
    script: Script, study: Any, max_arena: int | str, trials: int, words: Mapping[str, Any],
    told: Callable[[int, int], object] = lambda done, total: None,
) -> None:  # fmt: skip
    """Run trials until the study has `trials` that ended, whoever ran them. `words` are options of `optimize`.

    Waits for trials of other processes: if one of these dies, its trial is done again here, after `heartbeat.GRACE_S`.
    """

    def objective(trial: Any) -> tuple[float, float, float]:
        with beating(study, trial):
            return one_trial(script, study, trial, max_arena, words)

    watch = Watch(study)
    while True:
        watch.give_up_dead()
        ended, running = count_trials(study)
        told(ended, trials)
        if ended >= trials:
            return
        if ended + running >= trials:
            time.sleep(WAIT_S)
            continue
        run_one(study, objective, trials)


def run_one(study: Any, objective: Callable[[Any], tuple[float, ...]], trials: int) -> None:
    """Ask for a trial, and run it unless it is one too many of `trials`: who asks at the same time is not seen before."""
    o, trial = optuna(), study.ask()
    if is_surplus(study, trial, trials):
        asked = _enqueued(study, trial)
        study.tell(trial, state=o.trial.TrialState.FAIL)
        if asked:
            study.enqueue_trial(asked)
        time.sleep(random.uniform(0, WAIT_S))
        return
    try:
        values = objective(trial)
    except o.TrialPruned:
        study.tell(trial, state=o.trial.TrialState.PRUNED, skip_if_finished=True)
    except BaseException:
        study.tell(trial, state=o.trial.TrialState.FAIL, skip_if_finished=True)
        raise
    else:
        study.tell(trial, values, skip_if_finished=True)


def is_surplus(study: Any, trial: Any, trials: int) -> bool:
    """Whether `trials` others ended or run that were asked for before this one. Of one that was enqueued, nobody knows when."""
    states = optuna().trial.TrialState
    enqueued = _enqueued(study, trial) is not None
    others = [
        t.number
        for t in study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED, states.RUNNING))
        if t.number < trial.number or (enqueued and t.number != trial.number)
    ]
    return len(others) >= trials


def _enqueued(study: Any, trial: Any) -> Mapping[str, Any] | None:
    """The knobs with which the trial was enqueued."""
    knobs: Mapping[str, Any] | None = study._storage.get_trial(trial._trial_id).system_attrs.get("fixed_params")
    return knobs


def count_trials(study: Any) -> tuple[int, int]:
    """How many trials ended with a result (or as hopeless), and how many run."""
    states = optuna().trial.TrialState
    found = [trial.state for trial in study.get_trials(deepcopy=False)]
    return sum(s in (states.COMPLETE, states.PRUNED) for s in found), sum(s == states.RUNNING for s in found)


def one_trial(
    script: Script, study: Any, trial: Any, max_arena: int | str, words: Mapping[str, Any]
) -> tuple[float, float, float]:
    """Accuracy in TFLM, arena and instructions of one network. Hopeless ones, which no width makes fit, are not trained."""
    try:
        model = script.network(trial)
        x, y, x_test, y_test = script.data(trial)
        found = study_model(model, max_arena=max_arena, calibration=x[:CALIBRATION_SAMPLES], resolution=False, **words)
        if not found.feasible:
            trial.set_user_attr("hopeless", f"at least {found.least.arena} bytes")
            raise optuna().TrialPruned
        pruner = found.pruner()
        script.fit(model, x, y, [pruner])
        done = pruner.finish()
        accuracy = accuracy_in_tflm(done.original, x_test, y_test)
    except KeyboardInterrupt:
        study.enqueue_trial(trial.params)  # it is not lost: whoever goes on does it again
        raise
    trial.set_user_attr("widths", {name: now for name, (_, now) in done.record["widths"].items()})
    trial.set_user_attr("fits", done.fits)
    return accuracy, float(done.cost.arena), float(done.cost.instructions or 0)


def search_record(study: Any) -> dict[str, Any]:
    """All trials that ended, and which are on the front: no other is at least as good in everything and better in something."""
    states = optuna().trial.TrialState
    trials = [t for t in study.get_trials(deepcopy=False) if t.state in (states.COMPLETE, states.PRUNED)]
    complete = [t for t in trials if t.state == states.COMPLETE]
    front = [t.number for t in complete if not any(_beats(other.values, t.values) for other in complete)]
    return {
        "study": study.study_name,
        "objectives": [name for name, _ in OBJECTIVES],
        "front": front,
        "trials": [
            {
                "number": t.number,
                "state": t.state.name.lower(),
                "params": dict(t.params),
                "values": None if t.values is None else list(t.values),
                "notes": dict(t.user_attrs),
            }
            for t in trials
        ],
    }  # fmt: skip


def _beats(a: Any, b: Any) -> bool:
    signs = np.array([-1 if direction == "maximize" else 1 for _, direction in OBJECTIVES])
    first, second = np.array(a) * signs, np.array(b) * signs
    return bool((first <= second).all() and (first < second).any())


def search_text(record: Mapping[str, Any]) -> str:
    """The front as a table, the smallest arena first."""
    by_number = {trial["number"]: trial for trial in record["trials"]}
    lines = [f"{'trial':>6}{'accuracy':>10}{'arena':>10}{'instructions':>15}  knobs"]
    for trial in sorted((by_number[n] for n in record["front"]), key=lambda t: t["values"][1]):
        accuracy, arena, instructions = trial["values"]
        knobs = ", ".join(f"{k}={v}" for k, v in trial["params"].items())
        lines.append(f"{trial['number']:6}{accuracy:10.4f}{arena:10,.0f}{instructions:15,.0f}  {knobs}")
    hopeless = sum(trial["state"] == "pruned" for trial in record["trials"])
    lines.append(f"{len(record['trials'])} trials, {hopeless} of them hopeless before they were trained")
    return "\n".join(lines)
