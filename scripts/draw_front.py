"""Draws `docs/figures/front.svg` from the fronts that `bench_pareto.py` measured (`docs/figures/front.json`).

Each line is a model: the more slowdown is allowed, the smaller its head. Needs matplotlib, the extra `report`. The same
fronts give the same bytes with the same matplotlib: no date, no random identifiers.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "figures"
FRONTS, FIGURE = FIGURES / "front.json", FIGURES / "front.svg"
COLOURS = ("#1f77b4", "#d1495b", "#2f9e5a", "#8a5bb5", "#c98a1b", "#555f6b", "#159ab0")
SETTINGS = {"svg.hashsalt": "front", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}


def figure(fronts: Sequence[Mapping[str, Any]]) -> str:
    """The SVG of `fronts` (`report/front.py`): head, in parts of the fastest result's, against predicted slowdown."""
    with matplotlib.rc_context(SETTINGS):
        picture = Figure(figsize=(8, 4.6), layout="constrained")
        axes = picture.subplots()
        slowest = max(point["slowdown"] for front in fronts for point in front["points"])
        for front, colour in zip(fronts, COLOURS, strict=False):
            points = front["points"]
            fastest, smallest = points[0]["planned_head_bytes"], points[-1]["planned_head_bytes"]
            xs = [point["slowdown"] for point in points]
            ys = [point["planned_head_bytes"] / fastest for point in points]
            label = f"{front['model']}: {fastest:,} to {smallest:,} B"
            axes.step([*xs, slowest], [*ys, ys[-1]], where="post", color=colour, linewidth=1.4, label=label)
            axes.plot(xs, ys, "o", color=colour, markersize=4)
        axes.set_title("What less memory costs in time", loc="left")
        axes.set_xlabel(f"instructions predicted for {fronts[0]['board']}, against the fastest result")
        axes.set_ylabel("head, against the fastest result's")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_ylim(bottom=0)
        axes.grid(color="#e6e8eb")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower left", fontsize=9)
        target = io.StringIO()
        picture.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return "".join(f"{line.rstrip()}\n" for line in target.getvalue().splitlines())


def main() -> None:
    FIGURE.write_text(figure(json.loads(FRONTS.read_text())))


if __name__ == "__main__":
    main()
