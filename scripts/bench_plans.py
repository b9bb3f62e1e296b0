"""Does a saved plan make the same file again, and how fast? For each model: search once, write the plan, then repeat it.

`python scripts/bench_plans.py file.tflite ...` prints a Markdown table, and exits with 1 if any model fails. Each command is a
process of its own, without verification; CPU seconds count Python's start. The plan of the model before is tried on each
model, too: it must be refused, unless both are the same network with other weights.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tflm_split.report.table import markdown_table
from tflm_split.search.decision_file import SavedDecision

HEADER = ("model", "search, CPU s", "plan, bytes", "with the plan, CPU s", "same file", "another model's plan")
FOR_ANOTHER = "the plan is for another model"


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    message: str
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Saved plans make the same files again.")
    parser.add_argument("models", nargs="+", type=Path, metavar="file.tflite")
    models = parser.parse_args().models
    with tempfile.TemporaryDirectory() as folder:
        rows = list(_rows(models, Path(folder)))
    print(markdown_table(HEADER, [cells for _, cells in rows]), end="")
    sys.exit(not all(good for good, _ in rows))


def _rows(models: Sequence[Path], folder: Path) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """(Whether all is as it must be, the cells of the table) of each model."""
    before: Path | None = None
    for path in models:
        plan = folder / f"{path.stem}.json"
        first, again = folder / "first.tflite", folder / "again.tflite"
        searched = _optimize(path, first, "--plan-out", plan)
        repeated = _optimize(path, again, "--plan", plan)
        good = searched.code == repeated.code == 0
        same = good and first.read_bytes() == again.read_bytes()
        fits_before = before is not None and _fingerprint(before) == _fingerprint(plan)
        foreign = "" if before is None or fits_before else _verdict(_optimize(path, again, "--plan", before))
        yield (
            same and foreign in ("", "refused"),
            (
                path.stem,
                f"{searched.seconds:.2f}",
                f"{plan.stat().st_size:,}" if plan.is_file() else "",
                f"{repeated.seconds:.2f}",
                "yes" if same else f"NO {searched.message or repeated.message}",
                foreign,
            ),
        )
        before = plan if good else before


def _verdict(ran: Ran) -> str:
    refused = ran.code == 2 and FOR_ANOTHER in ran.message and ran.message.count("\n") <= 1
    return "refused" if refused else f"NOT REFUSED ({ran.code}): {ran.message}"


def _fingerprint(plan: Path) -> str:
    return SavedDecision.parse(plan.read_text()).fingerprint


def _optimize(model: Path, output: Path, *words: object) -> Ran:
    command = [sys.executable, "-m", "tflm_split", "optimize", model, "-o", output, "--force", "--no-verify", *words]
    before = os.times()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    return Ran(done.returncode, done.stderr, seconds)


if __name__ == "__main__":
    main()
