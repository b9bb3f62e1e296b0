"""What does each technique of the search earn, and what does it cost? Each one is switched off alone, over a set of models.

`python scripts/ablate_search.py file.tflite ... [--max-slowdown 1.05]` prints a Markdown table: a line per technique, with the
heads it lowers and the share of CPU seconds that it takes. Results are not verified: `optimize` does that.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator, Sequence
from math import exp, fsum, log
from pathlib import Path
from unittest.mock import patch

import tflm_split
from tflm_split.report.table import markdown_table
from tflm_split.search.propose import channels, copies, recompute, tiles
from tflm_split.search.propose.table import PROPOSERS

Switch = tuple[str, str, object]
"""(Name of the technique, what stands for it in the package, what stands there without it)."""
HEADER = ("without", "heads that grow", "head, geometric mean", "largest growth", "CPU seconds")


def _without(proposer: object) -> tuple[object, ...]:
    return tuple(other for other in PROPOSERS if other is not proposer)


def _nothing(*_: object, **__: object) -> Iterator[object]:
    return iter(())


SWITCHES: Sequence[Switch] = (
    ("copies of operators", "tflm_split.search.refine.PROPOSERS", _without(copies.propose)),
    ("groups of channels", "tflm_split.search.refine.PROPOSERS", _without(channels.propose)),
    ("rows computed again", "tflm_split.search.refine.PROPOSERS", _without(recompute.propose)),
    ("tiles of columns", "tflm_split.search.refine.PROPOSERS", _without(tiles.propose)),
    ("polishing", "tflm_split.search.schedules.POLISH_STEPS_PER_EFFORT", 0),
    ("rigid starts of the planner", "tflm_split.lower.place.RIGID_SHARES", ()),
    ("squeezing", "tflm_split.plan.portfolio._squeezed", lambda _, start, *__: start),
    ("moves", "tflm_split.plan.portfolio.MOVE_TARGETS", ()),
    ("orders of operators other than the file's", "tflm_split.search.evaluate.candidate_orders", None),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Ablation of the search's techniques.")
    parser.add_argument("models", nargs="+", type=Path, metavar="file.tflite")
    parser.add_argument("--max-slowdown", type=float, default=1.05)
    arguments = parser.parse_args()
    _head_and_seconds(arguments.models[0], arguments.max_slowdown)  # the first run also imports the compiler
    base = [_head_and_seconds(path, arguments.max_slowdown) for path in arguments.models]
    rows = []
    for name, target, value in SWITCHES:
        with _switched(target, value):
            found = [_head_and_seconds(path, arguments.max_slowdown) for path in arguments.models]
        ratios = [now[0] / before[0] for now, before in zip(found, base, strict=True)]
        largest = max(range(len(ratios)), key=lambda k: ratios[k])
        rows.append(
            (
                name,
                f"{sum(ratio > 1 for ratio in ratios)} of {len(ratios)}",
                f"{exp(fsum(map(log, ratios)) / len(ratios)) - 1:+.1%}",
                f"{ratios[largest] - 1:+.1%} ({arguments.models[largest].stem})",
                f"{fsum(s for _, s in found) / fsum(s for _, s in base) - 1:+.0%}",
            )
        )
    print(markdown_table(HEADER, rows), end="")


@contextlib.contextmanager
def _switched(target: str, value: object) -> Iterator[None]:
    if value is None:
        from tflm_split.schedule.orders import candidate_orders

        def file_order(split: object, graph: object) -> object:
            return candidate_orders(split, graph, 0)[:1]  # type: ignore[arg-type]  # as it is called

        value = file_order
    with patch(target, value):
        yield


def _head_and_seconds(path: Path, max_slowdown: float) -> tuple[int, float]:
    started = time.process_time()
    report = tflm_split.optimize(path, verify=False, max_slowdown=max_slowdown).report
    head_bytes = report["optimized"]["planned_head_bytes"]
    assert head_bytes is not None
    return head_bytes, time.process_time() - started


if __name__ == "__main__":
    main()
