"""The network made narrower while the user trains it: a Keras callback.

Every few epochs the target sinks from what the whole network needs to the limit, on a cubic ramp (Zhu and Gupta, "To prune, or
not to prune", 2017), and the planner says which groups must get narrower for it. Then masks say which channels of these are
out. Each step of training runs with masks, and its change is applied to the weights without them. So what is out goes on
learning, and can return (as in uNAS: Liberis et al., 2021).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tflm_split.errors import InputError
from tflm_split.shrink.backend import keras
from tflm_split.shrink.cost import AIMS, Cost
from tflm_split.shrink.criteria import CRITERIA, Scores
from tflm_split.shrink.slicing import Mask, masks
from tflm_split.shrink.widths import full_widths, narrower, removed_units

if TYPE_CHECKING:
    from tflm_split.shrink.finished import Finished
    from tflm_split.shrink.studied import Study

RAMP_SHARE = 0.5
"""The target reaches the limit after this share of the epochs. The rest is for the weights to settle."""
SEARCH_EVERY = 4
"""With every so many steps of the ramp, the split is searched again rather than the last one carried out."""

TINY = 1e-30
"""Below every score, and next to nothing in their mean."""


def ramp(done: float) -> float:
    """The share of the way to the limit at `done` (0 to 1) of the ramp: fast first, then slower."""
    return float(1 - (1 - min(max(done, 0.0), 1.0)) ** 3)


class Pruning:
    """What is decided while a network is trained: the widths of its groups, and which units are out."""

    def __init__(self, study: Study, limit: int, criterion: str, aim: str, data: Any) -> None:
        self.study, self.limit, self.criterion, self.aim, self.data = study, limit, criterion, aim, data
        self.widths = full_widths(study.trace)
        self.removed: frozenset[int] = frozenset()
        self.cost: Cost = study.split
        self.history: list[dict[str, Any]] = []

    @property
    def goal(self) -> str:
        """What the limit is a limit of: the arena, unless the aim is the head."""
        return "head" if self.aim == "head" else "arena"

    def scores(self) -> Scores:
        return CRITERIA[self.criterion](self.study.trace, self.data)

    def settled_scores(self) -> Scores:
        """The scores, but what is out counts for nothing: those that are left have learned to do without it."""
        scores: Scores = self.scores().copy()
        scores[list(self.removed)] = -TINY
        return scores

    def target(self, done: float) -> int:
        """The goal in bytes at `done` of the ramp."""
        start = self.study.split.of(self.goal)
        return round(start + (self.limit - start) * ramp(done)) if start > self.limit else start

    def to(self, done: float, epoch: int, *, settled: bool = False) -> None:
        """Narrow the network to the target at `done` of the ramp, and choose which channels are out: anew unless `settled`."""
        study, target = self.study, self.target(done)
        scores = self.settled_scores() if settled else self.scores()
        if len(self.history) % SEARCH_EVERY == SEARCH_EVERY - 1 or done >= 1:
            study.costs.searched(removed_units(study.trace, self.widths, scores))
        self.widths, self.cost = narrower(
            study.trace, study.costs, scores, self.widths, self.aim, self.goal, target, study.multiple
        )
        self.choose(scores)
        self.history.append({"epoch": epoch, "target": target, **self.cost.record(), "widths": dict(self.widths)})

    def choose(self, scores: Scores) -> None:
        """Which units are out at these widths: those that matter least now."""
        self.removed = removed_units(self.study.trace, self.widths, scores)


class Masked:
    """Weights with and without masks: `put` hides what is out, `take` gives it back with what was learned meanwhile."""

    def __init__(self, found: list[Mask]) -> None:
        self._masks = [mask for mask in found if not mask.factor.all()]
        ops = keras().ops
        self._gone = [ops.convert_to_tensor(1 - mask.factor, dtype="float32") for mask in self._masks]
        self._hidden: list[Any] | None = None

    def put(self) -> None:
        if self._hidden is None:
            self._hidden = []
            for mask, gone in zip(self._masks, self._gone, strict=True):
                hidden = mask.variable * gone
                self._hidden.append(hidden)
                mask.variable.assign_sub(hidden)

    def take(self) -> None:
        if self._hidden is not None:
            for mask, hidden in zip(self._masks, self._hidden, strict=True):
                mask.variable.assign_add(hidden)
            self._hidden = None


@cache
def _pruner_class() -> Any:
    """The callback's class, made when Keras is there."""

    class Pruner(keras().callbacks.Callback):  # type: ignore[misc]  # keras has no types
        """A callback that prunes the studied model in `fit`; afterwards `finish` gives the result."""

        def __init__(self, pruning: Pruning, start: int, end: int | None, every: int) -> None:
            super().__init__()
            self.pruning = pruning
            self._start, self._end, self._every = start, end, every
            self._masked = Masked([])

        def on_train_begin(self, logs: Any = None) -> None:
            if self.model is not self.pruning.study.trace.model:
                raise InputError("the pruner is for the model that was studied: fit that one")
            self._set()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            end = self._last()
            self._masked.take()
            if self._start <= epoch <= end and ((epoch - self._start) % self._every == 0 or epoch == end):
                self.pruning.to((epoch - self._start + 1) / (end - self._start + 1), epoch)
            elif self.pruning.removed and epoch <= end:
                self.pruning.choose(self.pruning.scores())
            self._set()

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self._masked.put()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self._masked.take()

        def on_test_begin(self, logs: Any = None) -> None:
            self._masked.put()

        def on_test_end(self, logs: Any = None) -> None:
            self._masked.take()

        def on_train_end(self, logs: Any = None) -> None:
            self._masked.take()

        def finish(self, **words: Any) -> Finished:
            """The smaller Keras model, its int8 file split and verified in TFLM, and the record; see `finished.py`."""
            from tflm_split.shrink.finished import finish

            self._masked.take()
            return finish(self.pruning, **words)

        def _last(self) -> int:
            if self._end is not None:
                return self._end
            epochs = int((self.params or {}).get("epochs") or 1)
            return max(self._start, round(RAMP_SHARE * epochs) - 1)

        def _set(self) -> None:
            pruning = self.pruning
            self._masked = Masked(list(masks(pruning.study.trace, pruning.removed)))

    return Pruner


def pruner_of(
    study: Study, *, criterion: str = "l2", aim: str = "arena", data: Any = None, start: int = 0, end: int | None = None,
    every: int = 1,
) -> Any:  # fmt: skip
    """A Keras callback that prunes the model of `study` to its `max_arena` from epoch `start` to epoch `end`.

    Without `end` the limit is reached after half of the epochs. `every`: epochs between steps. `criterion`: "l2", "bn" or
    "taylor", which needs `data`, a batch (x, y). `aim`: what a removed channel should save, one of `AIMS`; the goal is the
    limit on the arena all the same ("head": on the head). Raises InputError for anything else, without a limit, and where no
    width meets it.
    """
    if study.max_arena_bytes is None:
        raise InputError("there is nothing to prune for: study the model with a max_arena")
    if not study.feasible:
        raise InputError(
            f"no width of the network fits {study.max_arena_bytes:,} bytes, the least is {study.least.arena:,}: allow more, or "
            "take smaller pictures"
        )
    if criterion not in CRITERIA:
        raise InputError(f"the criterion is {criterion!r}, needs one of {', '.join(CRITERIA)}")
    if aim not in AIMS:
        raise InputError(f"the aim is {aim!r}, needs one of {', '.join(AIMS)}")
    if start < 0 or every < 1 or (end is not None and end < start):
        raise InputError(
            f"pruning from epoch {start} to {end} every {every} epochs is no plan: 0 <= start <= end, every >= 1"
        )
    if criterion == "taylor" and (not isinstance(data, (tuple, list)) or len(data) != 2):
        raise InputError("the criterion taylor needs data: pruner(criterion='taylor', data=(x, y))")
    batch = None if data is None else (np.asarray(data[0]), np.asarray(data[1]))
    return _pruner_class()(Pruning(study, study.max_arena_bytes, criterion, aim, batch), start, end, every)
