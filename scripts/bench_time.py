"""How does the time that `optimize` takes grow with the number of steps?

`python scripts/bench_time.py [file.tflite ...] [--families] [--json FILE] [--from FILE ...] [--update]`; without files, all of
`models/`, of the corpus of real models at `../shared/corpus/models` where it is there, and three families of growing networks
(`--families` adds them to files that are named). Time is the CPU time of this process, which other programs on the machine
hardly change; verification is left out. Prints what a power of the number of steps fits best; `--json` writes the
measurements, `--from` reads such files instead of measuring; `--update` draws `docs/figures/time.svg` and puts the table into
docs/benchmarks.md. Drawing needs matplotlib (`pip install '.[report]'`).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tflm_split
from tflm_split.errors import TflmSplitError
from tflm_split.report.table import markdown_table

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_memory import BENCHMARKS, FOLDERS, ROOT, updated
from cells import Cell, Layers, randwire, tflite

FIGURE = ROOT / "docs" / "figures" / "time.svg"
HEADER = ("networks", "how many", "steps", "seconds", "seconds grow with steps to the power of")
GROUPS = {
    "resolution": "a MobileNet of 32 to 256 rows",
    "depth": "a MobileNet of 4 to 32 blocks",
    "branches": "a RandWire cell of 8 to 32 nodes",
    "models": "`models/`",
    "corpus": "real models",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU time of optimize against the number of steps.")
    parser.add_argument("models", nargs="*", type=Path, metavar="file.tflite", help="default: models/ and the corpus")
    parser.add_argument("--families", action="store_true", help="families of growing networks, besides files named")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements there")
    parser.add_argument("--from", type=Path, nargs="+", dest="sources", metavar="FILE", help="read measurements")
    parser.add_argument("--update", action="store_true", help="draw the figure, put the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    if arguments.sources:
        points = [point for source in arguments.sources for point in json.loads(source.read_text())]
    else:
        points = list(measured(arguments.models, arguments.families or not arguments.models))
    table = markdown_table(HEADER, rows(points))
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(points, indent=1) + "\n")
    if arguments.update:
        draw(points, FIGURE)
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), {"time": table}))


def mobilenet(size: int, blocks: int) -> Layers:
    """Depthwise separable blocks at a quarter of MobileNet's width; every third halves the rows, as long as there are 6."""
    cell = Cell()
    x = cell.conv(cell.input(size, 3), 8, 3, 2, relu=True)
    channels = 8
    for block in range(blocks):
        halves = block % 3 == 1 and cell.layers[x].shape[0] >= 12
        channels = min(channels * 2, 128) if halves else channels
        x = cell.separable(x, channels, stride=2 if halves else 1, relu=True)
    return tuple(cell.layers)


def families() -> Iterator[tuple[str, str, bytes]]:
    """(group, name, model) of networks that grow."""
    for size in (32, 64, 96, 128, 192, 256):
        yield "resolution", f"mobilenet_{size}", tflite(mobilenet(size, 13))
    for blocks in (4, 8, 16, 32):
        yield "depth", f"mobilenet_of_{blocks}", tflite(mobilenet(64, blocks))
    for nodes in (8, 16, 32):
        yield "branches", f"randwire_of_{nodes}", tflite(randwire(16, 16, 1, nodes))


def measured(paths: Sequence[Path], with_families: bool) -> Iterator[dict[str, Any]]:
    """Name, group, steps and CPU seconds of every network that is split."""
    files = paths or [path for folder in FOLDERS for path in sorted(folder.glob("*.tflite"))]
    sources: list[tuple[str, str, Path | bytes]] = [
        ("models" if path.resolve().parent == FOLDERS[0] else "corpus", path.stem, path) for path in files
    ]
    for group, name, source in (*(families() if with_families else ()), *sources):
        start = time.process_time()
        try:
            plan = tflm_split.optimize(source, verify=False).plan
        except TflmSplitError as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            continue
        seconds = time.process_time() - start
        if plan is not None:
            print(f"{name}: {len(plan.schedule.steps):,} steps, {seconds:.1f} s", file=sys.stderr, flush=True)
            yield {"name": name, "group": group, "steps": len(plan.schedule.steps), "cpu_seconds": round(seconds, 2)}


def exponent(points: Sequence[dict[str, Any]]) -> float:
    """The power of the number of steps that fits the seconds best: the slope of a line through their logarithms."""
    steps, seconds = (np.log([p[name] for p in points]) for name in ("steps", "cpu_seconds"))
    return float(np.polyfit(steps, seconds, 1)[0])


def rows(points: Sequence[dict[str, Any]]) -> list[list[str]]:
    found = []
    for group, what in (*GROUPS.items(), ("", "all")):
        mine = [p for p in points if group in ("", p["group"])]
        if len(mine) < 2:
            continue
        steps, seconds = ([p[name] for p in mine] for name in ("steps", "cpu_seconds"))
        found.append(
            [
                what,
                str(len(mine)),
                f"{min(steps):,} to {max(steps):,}",
                f"{min(seconds):.1f} to {max(seconds):.1f}",
                f"{exponent(mine):.1f}",
            ]
        )
    return found


def draw(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Seconds against steps, both on logarithmic axes, with a line that grows with the square; the same points, the same bytes."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    style: Any = {"svg.hashsalt": "tflm_split", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")
        for marker, (group, what) in zip("os^dx", GROUPS.items(), strict=True):
            mine = sorted((p["steps"], p["cpu_seconds"]) for p in points if p["group"] == group)
            if mine:
                lined = group not in ("models", "corpus")
                axes.plot(
                    *zip(*mine, strict=True), marker, ls="-" if lined else "", ms=4, lw=0.8, label=what.strip("`")
                )
        steps = np.array([min(p["steps"] for p in points), max(p["steps"] for p in points)], float)
        most = max(p["cpu_seconds"] for p in points)
        axes.plot(steps, most * (steps / steps[1]) ** 2, "--", color="0.6", lw=0.8, label="the square of the steps")
        axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="CPU seconds of optimize")
        axes.set_ylim(bottom=min(p["cpu_seconds"] for p in points) / 2)
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


if __name__ == "__main__":
    main()
