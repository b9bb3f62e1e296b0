"""How long does the tool take to answer, whatever file it is given?

`python scripts/bench_answers.py [file or folder ...] [--slow 60] [--refused 3]`; without any, the small models after public
reports and the odd files of the corpus, `../shared/cases` and `../shared/corpus/odd`. Each file is optimised at default effort
by a process of its own. Prints a line per file, the slowest first: seconds on the clock, seconds of processors, exit code, and
the first line of the answer. Leaves with 1 if an answer took longer than `--slow`, or a refusal longer than `--refused`, in
seconds of processors: on a machine that does other things, too, the clock says little.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
FOLDERS = (SHARED / "cases", SHARED / "corpus" / "odd")
BAD_INPUT = 2
LONGEST_S = 900


@dataclass(frozen=True)
class Answer:
    """How one file was answered."""

    name: str
    clock_s: float
    processor_s: float
    code: int
    text: str

    def is_late(self, slow_s: float, refused_s: float) -> bool:
        return self.processor_s > (refused_s if self.code == BAD_INPUT else slow_s)


def answer(path: Path) -> Answer:
    """Optimise the file in a process of its own; its processors' time includes that of TFLM's processes."""
    before, start = os.times(), time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tflm_split", "optimize", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        code, text = done.returncode, (done.stdout or done.stderr).partition("\n")[0]
    except subprocess.TimeoutExpired:
        code, text = -1, f"no answer in {LONGEST_S} s"
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Answer(path.stem, time.monotonic() - start, spent, code, text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the answer to every file.")
    parser.add_argument("paths", nargs="*", type=Path, metavar="file or folder")
    parser.add_argument("--slow", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--refused", type=float, default=3, metavar="SECONDS")
    arguments = parser.parse_args()
    folders = arguments.paths or FOLDERS
    paths = [p.resolve() for f in folders for p in (sorted(f.glob("*.tflite")) if f.is_dir() else [f])]
    answers = []
    for path in paths:
        answers.append(answer(path))
        found = answers[-1]
        print(f"{found.name}: {found.processor_s:.1f} s", file=sys.stderr, flush=True)
    for found in sorted(answers, key=lambda a: -a.processor_s):
        late = "LATE " if found.is_late(arguments.slow, arguments.refused) else ""
        print(
            f"{found.clock_s:7.1f} {found.processor_s:7.1f} s  exit {found.code:2}  {late}{found.name}: {found.text[:150]}"
        )
    return 1 if any(a.is_late(arguments.slow, arguments.refused) for a in answers) else 0


if __name__ == "__main__":
    sys.exit(main())
