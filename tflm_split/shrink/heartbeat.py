"""Is the process that runs a trial still there? The same answer for every storage, because Optuna's journals know none.

A trial that runs carries a count, and its process raises it every few seconds. Who waits looks at the count: one that stood
still for `GRACE_S` by the waiting process's own clock belongs to a process that is gone. So clocks of machines need not agree,
and a process that died before it counted at all is found, too.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import count
from typing import Any

from tflm_split.shrink.backend import optuna

HEARTBEAT_S, GRACE_S = 10.0, 60.0
"""A process that works on a trial says so this often. Silent for longer than the grace, it is gone."""
MOST_RETRIES = 5
"""So often is a trial done again with the same knobs."""
_ATTRIBUTE = "tflm_split:heartbeat"


@contextmanager
def beating(study: Any, trial: Any) -> Iterator[None]:
    """Others see meanwhile that `trial` of `study` is worked on."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(study, trial, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(study: Any, trial: Any, over: threading.Event) -> None:
    """Counts until it is `over`, or until others gave the trial up. A storage that cannot be reached now is asked again."""
    for beats in count(1):
        try:
            study._storage.set_trial_system_attr(trial._trial_id, _ATTRIBUTE, beats)
        except optuna().exceptions.UpdateFinishedTrialError:
            return
        except Exception:  # drivers raise exceptions of their own; the trial's result will say what is wrong
            pass
        if over.wait(HEARTBEAT_S):
            return


class Watch:
    """What this process saw of the heartbeats of a study's running trials."""

    def __init__(self, study: Any, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._study, self._clock_s = study, clock_s
        self._seen: dict[int, tuple[Any, float]] = {}  # trial -> (its count, when that was new)

    def give_up_dead(self) -> None:
        """Trials that stood still for more than `GRACE_S` fail, and wait to be done again. Of several watches one does it."""
        o = optuna()
        now_s, before, self._seen = self._clock_s(), self._seen, {}
        for trial in self._study.get_trials(deepcopy=False, states=(o.trial.TrialState.RUNNING,)):
            beats = trial.system_attrs.get(_ATTRIBUTE)
            known = before.get(trial.number)
            since_s = known[1] if known is not None and known[0] == beats else now_s
            if now_s - since_s <= GRACE_S:
                self._seen[trial.number] = beats, since_s
            else:
                self._give_up(o, trial)

    def _give_up(self, o: Any, trial: Any) -> None:
        try:
            if not self._study._storage.set_trial_state_values(trial._trial_id, state=o.trial.TrialState.FAIL):
                return
        except o.exceptions.UpdateFinishedTrialError:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", o.exceptions.ExperimentalWarning)
            again = o.storages.RetryHeartbeatStaleTrialCallback(max_retry=MOST_RETRIES)
        again(self._study, deepcopy(trial))  # it appends to a list of the trial
