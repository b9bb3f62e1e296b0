"""Progress reports: the compiler's long loops call in here often, so that a waiting user sees what is being done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Tick = Callable[[], object]
"""Called once per round of a loop. The caller does not know which stage it is part of."""


class Progress(Protocol):
    """A function that is told at least once a second what is being done.

    `stage` is a word: schedule, search, polish, place or verify. `done` of its `total` parts are done; `total` is None
    if it is not known. `best_head_bytes` is the smallest head so far: that of the model as it is, until a plan has a smaller
    one; None before the model is read.
    """

    def __call__(self, stage: str, done: int, total: int | None, best_head_bytes: int | None, /) -> object: ...


def quiet(stage: str, done: int, total: int | None, best_head_bytes: int | None, /) -> None:
    """A Progress that does nothing."""


def no_tick() -> None:
    """A Tick that does nothing."""


class Teller:
    """Keeps where the compiler is, and tells a `Progress` at every change and every `tick`."""

    def __init__(self, progress: Progress = quiet) -> None:
        self._progress = progress
        self._stage, self._done = "", 0
        self._total: int | None = None
        self._best_head_bytes: int | None = None

    def at(self, stage: str, done: int, total: int | None = None) -> None:
        """Reports that `done` of `total` parts of `stage` are done."""
        self._stage, self._done, self._total = stage, done, total
        self.tick()

    def found(self, head_bytes: int) -> None:
        """Reports a plan with this head, or the model as it is."""
        if self._best_head_bytes is None or head_bytes < self._best_head_bytes:
            self._best_head_bytes = head_bytes
            self.tick()

    def tick(self) -> None:
        """Reports the same state once more, to show that work goes on."""
        self._progress(self._stage, self._done, self._total, self._best_head_bytes)
