"""The progress bar: what the compiler is doing, how far it is, and the smallest head so far."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tqdm import tqdm

from tflm_split.plan.progress import Progress
from tflm_split.sizes import format_bytes

REDRAW_S = 0.1
"""The bar is drawn again after this many seconds at the earliest."""
HEARTBEAT_S = 0.5
"""The bar's clock is drawn again this often, even while a solver reports nothing."""

Told = tuple[str, int, int | None, int | None]
"""What a `Progress` was told last."""


def described(
    stage: str, done: int, total: int | None, best_head_bytes: int | None, first_head_bytes: int | None = None
) -> str:
    """The text beside the bar: `place 3 of 24, best head 3,696 B of 16,000 B`. `first_head_bytes` was told first."""
    count = f" {done} of {total}" if total and total > 1 else ""
    if best_head_bytes is None:
        return f"{stage}{count}"
    if first_head_bytes is None or first_head_bytes == best_head_bytes:
        return f"{stage}{count}, head {format_bytes(best_head_bytes)}"
    return f"{stage}{count}, best head {format_bytes(best_head_bytes)} of {format_bytes(first_head_bytes)}"


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A `Progress` that draws a bar on stderr, if that is a terminal.

    The bar belongs to a thread of its own. An interrupt ends whatever the main thread does, and if that were drawing, tqdm's
    lock would never be free again.
    """
    told: list[Told] = []

    def progress(stage: str, done: int, total: int | None, best_head_bytes: int | None, /) -> None:
        told[:] = [(stage, done, total, best_head_bytes)]

    if not sys.stderr.isatty():
        yield progress
        return
    over = threading.Event()
    thread = threading.Thread(target=_draw, args=(told, over), daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        over.set()
        thread.join()


def _draw(told: list[Told], over: threading.Event) -> None:
    """Draws what was `told` last until it is `over`. A terminal that goes away is no fault."""
    shown: Told | None = None
    first_head_bytes: int | None = None
    drawn_at = 0.0
    tqdm.monitor_interval = 0  # or it would start one more thread
    with (
        suppress(OSError, ValueError),
        tqdm(file=sys.stderr, leave=False, bar_format="{desc} |{bar}| {elapsed}", total=1) as bar,
    ):
        while not over.wait(REDRAW_S):
            now = told[0] if told else None
            if now == shown and time.monotonic() - drawn_at < HEARTBEAT_S:
                continue
            if now is not None:
                _, done, total, best_head_bytes = now
                first_head_bytes = best_head_bytes if first_head_bytes is None else first_head_bytes
                bar.set_description_str(described(*now, first_head_bytes), refresh=False)
                bar.total, bar.n = total or 1, min(done, total or 1)
            bar.refresh()
            shown, drawn_at = now, time.monotonic()
