"""Pictures as SVG, without a library: memory against time, two of them at one scale, and a Pareto front.

A picture is stretched to the width it has; its words are HTML around it, so that they keep their size on a small screen.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from tflm_split.report.summary import short_name
from tflm_split.report.timeline import Rectangle, Timeline
from tflm_split.sizes import format_bytes

SHADES = 10
"""How many colours there are, from the first layers to the last. The page's style names them `s0` to `s9`."""
MOST_RECTANGLES = 12_000
"""Above that, rows of one tensor that lie side by side are drawn together."""


def memory_svg(timeline: Timeline, *, titles: bool = False, most: int = MOST_RECTANGLES) -> str:
    """A rectangle for each thing in memory, in the order of `drawn`. With `titles`, each has a tooltip of its own."""
    steps, head = max(1, len(timeline.running)), max(1, timeline.head_bytes)
    parts = [
        f'<svg class="memory" viewBox="0 0 {steps} {head}" preserveAspectRatio="none" role="img" '
        f'aria-label="Memory against time: {format_bytes(head)} over {steps} steps">'
    ]
    for r in drawn(timeline, most):
        at = f'x="{r.start}" y="{head - r.address - r.bytes}" width="{r.stop - r.start}" height="{r.bytes}"'
        box = f'<rect class="s{shade(r)}" {at}'
        parts.append(f"{box}><title>{html.escape(words(r))}</title></rect>" if titles else f"{box}/>")
    tight = timeline.tightest + 0.5
    parts.append(f'<line class="tight" x1="{tight}" x2="{tight}" y1="0" y2="{head}"/></svg>')
    return "".join(parts)


def shade(r: Rectangle) -> int:
    """Its colour: 0 for inputs, then from the first layers to the last."""
    return 0 if r.depth == 0 else min(SHADES - 1, 1 + int(r.depth * (SHADES - 1)))


def drawn(timeline: Timeline, most: int = MOST_RECTANGLES) -> tuple[Rectangle, ...]:
    """The rectangles of a picture: all, or boxes around several rows of a tensor where there are too many."""
    rectangles = timeline.rectangles
    together = 1
    while len(rectangles) > most and together < len(timeline.rectangles):
        together *= 2
        rectangles = _joined(timeline.rectangles, together)
    return rectangles


def _joined(rectangles: Sequence[Rectangle], together: int) -> tuple[Rectangle, ...]:
    """Up to `together` rectangles that follow each other in the list, are of one tensor and touch in memory, as one box."""
    boxes: list[Rectangle] = []
    counts: list[int] = []
    for r in rectangles:
        last = boxes[-1] if boxes else None
        if last and last.name == r.name and counts[-1] < together and last.start < r.stop and r.start < last.stop:
            low, high = min(last.address, r.address), max(last.address + last.bytes, r.address + r.bytes)
            if high - low <= 2 * (last.bytes + r.bytes):
                first = min(last.first_row, r.first_row)
                boxes[-1] = Rectangle(
                    r.name, first, last.rows + r.rows, low, high - low,
                    min(last.start, r.start), max(last.stop, r.stop), r.depth,
                )  # fmt: skip
                counts[-1] += 1
                continue
        boxes.append(r)
        counts.append(1)
    return tuple(boxes)


def words(r: Rectangle) -> str:
    """What a rectangle is, in words. Its name is as short as the page's own tooltips have it."""
    rows = ""
    if r.rows == 1:
        rows = f", row {r.first_row}"
    elif r.rows:
        rows = f", rows {r.first_row} to {r.first_row + r.rows - 1}"
    return f"{short_name(r.name)}{rows}: {format_bytes(r.bytes)} at {r.address:,}, steps {r.start:,} to {r.stop - 1:,}"


def both_svg(before: Timeline, after: Timeline | None) -> str:
    """The bytes alive before and after, at one scale."""
    top = max(1, before.head_bytes, *before.live_bytes)
    areas = [_area(before.live_bytes, top, "whole")]
    if after:
        areas.append(_area(after.live_bytes, top, "split"))
    return (
        f'<svg class="both" viewBox="0 0 1000 {top}" preserveAspectRatio="none" role="img" '
        f'aria-label="Bytes alive before and after">{"".join(areas)}</svg>'
    )


def _area(live: Sequence[int], top: int, kind: str) -> str:
    steps = max(1, len(live))
    points = [f"M0 {top}"]
    for k, nbytes in enumerate(live):
        points.append(f"L{1000 * k / steps:.5g} {top - nbytes}L{1000 * (k + 1) / steps:.5g} {top - nbytes}")
    return f'<path class="{kind}" d="{"".join(points)}L1000 {top}Z"/>'


def front_svg(points: Sequence[tuple[float, int]]) -> str:
    """A staircase of (slowdown, head in bytes), fastest first, on axes that begin at 1 time and at 0 bytes."""
    slowest, largest = front_limits(points)

    def place(x: float, y: int) -> tuple[str, str]:
        return f"{1000 * (x - 1) / (slowest - 1):.5g}", f"{1000 * (1 - y / largest):.5g}"

    path, dots = [], []
    for k, (x, y) in enumerate(points):
        left, at = place(x, y)
        path.append(f"{'L' if k else 'M'}{left} {place(x, points[k - 1][1] if k else y)[1]}L{left} {at}")
        told = f"{format_bytes(y)}, {x:.3f} times the instructions"
        dots.append(f'<path class="dot" d="M{left} {at}h0"><title>{told}</title></path>')
    line = f'<path class="front" d="{"".join(path)}"/>' if path else ""
    return (
        '<svg class="pareto" viewBox="-20 -20 1040 1040" preserveAspectRatio="none" role="img" '
        f'aria-label="Head against slowdown">{line}{"".join(dots)}</svg>'
    )


def front_limits(points: Sequence[tuple[float, int]]) -> tuple[float, int]:
    """The slowdown at the right end of a front's picture, and the bytes at its top."""
    return max(1.01, *(x for x, _ in points), 1.01), max(1, *(y for _, y in points), 1)
