"""The progress bar: what the compiler is doing, how far it is, and the smallest head so far."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from tflm_split.plan.progress import Progress
from tflm_split.sizes import format_bytes

REDRAW_S = 0.1
"""The bar is drawn again after this many seconds at the earliest."""
HEARTBEAT_S = 0.5
"""The bar's clock is drawn again this often, even while a solver reports nothing."""


def described(stage: str, done: int, total: int | None, best_head_bytes: int | None) -> str:
    """The text beside the bar: `place 3 of 24, best head 3,696 B`."""
    count = f" {done} of {total}" if total and total > 1 else ""
    best = f", best head {format_bytes(best_head_bytes)}" if best_head_bytes is not None else ""
    return f"{stage}{count}{best}"


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A `Progress` that draws a bar on stderr, if that is a terminal."""
    with tqdm(disable=None, file=sys.stderr, leave=False, bar_format="{desc} |{bar}| {elapsed}", total=1) as bar:
        drawn_at = 0.0

        def progress(stage: str, done: int, total: int | None, best_head_bytes: int | None, /) -> None:
            nonlocal drawn_at
            if bar.disable or time.monotonic() - drawn_at < REDRAW_S:
                return
            drawn_at = time.monotonic()
            bar.set_description_str(described(stage, done, total, best_head_bytes), refresh=False)
            bar.total, bar.n = total or 1, min(done, total or 1)
            bar.refresh()

        with _heartbeat(bar):
            yield progress


@contextmanager
def _heartbeat(bar: tqdm[Any]) -> Iterator[None]:
    """Redraw the bar every `HEARTBEAT_S` seconds, in a thread of its own."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_S):
            bar.refresh()

    thread = threading.Thread(target=beat, daemon=True)
    if not bar.disable:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join()
