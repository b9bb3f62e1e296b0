"""Who waits is told what is being done, often: the compiler's loops call in here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Tick = Callable[[], object]
"""Called once per round of a loop, by code that does not know what stage it is part of."""


class Progress(Protocol):
    """Told at least once a second what is being done.

    `stage` is a word (schedule, search, polish, place, verify); `done` of `total` parts of it are done, and `total` is
    None where nobody knows. `best_head_bytes` is the smallest head so far, None before there is one.
    """

    def __call__(self, stage: str, done: int, total: int | None, best_head_bytes: int | None, /) -> object: ...


def quiet(stage: str, done: int, total: int | None, best_head_bytes: int | None, /) -> None:
    """A Progress that says nothing."""


def no_tick() -> None:
    """A Tick that says nothing."""


class Teller:
    """Where the compiler is, told to a `Progress` whenever that changes and with every `tick`."""

    def __init__(self, progress: Progress = quiet) -> None:
        self._progress = progress
        self._stage, self._done = "", 0
        self._total: int | None = None
        self._best_head_bytes: int | None = None

    def at(self, stage: str, done: int, total: int | None = None) -> None:
        """`done` of `total` parts of `stage` are done."""
        self._stage, self._done, self._total = stage, done, total
        self.tick()

    def found(self, head_bytes: int) -> None:
        """There is a plan of this head."""
        if self._best_head_bytes is None or head_bytes < self._best_head_bytes:
            self._best_head_bytes = head_bytes
            self.tick()

    def tick(self) -> None:
        """The same as before, but alive."""
        self._progress(self._stage, self._done, self._total, self._best_head_bytes)
