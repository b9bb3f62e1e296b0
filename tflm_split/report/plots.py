"""The pictures as matplotlib draws them, for notebooks and papers. matplotlib is imported when a picture is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tflm_split.errors import ToolError
from tflm_split.report.command_records import FrontRecord
from tflm_split.report.front import stairs
from tflm_split.report.small import COLOURS
from tflm_split.report.svg import shade
from tflm_split.report.timeline import Timeline

MISSING = "pictures need matplotlib, which is not installed: pip install 'tflm_split[report]'"
TITLES = ("before, layer by layer", "after, split")


def plot_memory(timelines: Sequence[Timeline]) -> tuple[Any, ...]:
    """Memory against time, one Axes per timeline: rectangles of bytes (KiB) against steps. Raises ToolError without matplotlib."""
    pyplot = _pyplot()
    from matplotlib.collections import PolyCollection

    picture, grid = pyplot.subplots(
        1, len(timelines), figsize=(5.2 * len(timelines), 3.4), layout="constrained", squeeze=False
    )
    for axes, timeline, title in zip(grid[0], timelines, TITLES, strict=False):
        corners = [
            [(r.start, low), (r.stop, low), (r.stop, high), (r.start, high)]
            for r in timeline.rectangles
            for low, high in [(r.address / 1024, (r.address + r.bytes) / 1024)]
        ]
        colours = [COLOURS[shade(r)] for r in timeline.rectangles]
        axes.add_collection(PolyCollection(corners, facecolors=colours, edgecolors="white", linewidths=0.2))
        axes.axvline(timeline.tightest + 0.5, color="#d0404a", linestyle="--", linewidth=1)
        axes.set_xlim(0, max(1, len(timeline.running)))
        axes.set_ylim(0, max(1, timeline.head_bytes) / 1024)
        axes.set_title(f"{title}: {timeline.head_bytes:,} B", loc="left", fontsize=10)
        axes.set_xlabel("step")
        axes.set_ylabel("address in the head, KiB")
    return tuple(picture.axes)


def plot_front(record: FrontRecord) -> Any:
    """The head (KiB) against the predicted slowdown, as a staircase. Raises ToolError without matplotlib."""
    pyplot = _pyplot()
    _, axes = pyplot.subplots(figsize=(5.2, 3.4), layout="constrained")
    points = [(slowdown, head / 1024) for slowdown, head in stairs(record)]
    axes.step([x for x, _ in points], [y for _, y in points], where="post", color=COLOURS[1])
    axes.plot([x for x, _ in points], [y for _, y in points], "o", color=COLOURS[1])
    axes.set_ylim(bottom=0)
    axes.set_title(record["model"], loc="left", fontsize=10)
    axes.set_xlabel(f"instructions predicted for {record['board']}, against the fastest")
    axes.set_ylabel("head, KiB")
    return axes


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ToolError(MISSING) from error
    return pyplot
