"""Pictures: of a study, one bar for each group of channels at the peak; of a search, a point for each trial."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tflm_split.shrink.studied import Study

WIDTH, BAR, LABEL = 640, 18, 260


def study_svg(study: Study) -> str:
    """An SVG of the bytes that each group holds at the peak, longest bar first."""
    groups = [group for group in study.groups if group.held_bytes]
    most = max((group.held_bytes for group in groups), default=1)
    rows = []
    for k, group in enumerate(groups):
        y, length = k * (BAR + 4), (WIDTH - LABEL - 70) * group.held_bytes / most
        name = html.escape(group.name if len(group.name) < 40 else group.name[:37] + "...")
        rows.append(
            f'<text x="{LABEL - 6}" y="{y + 13}" text-anchor="end">{name}</text>'
            f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" fill="#4477aa"/>'
            f'<text x="{LABEL + length + 5:.1f}" y="{y + 13}">{group.held_bytes:,} B</text>'
        )
    height = len(groups) * (BAR + 4)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        f'font-size="11" fill="currentColor">{"".join(rows)}</svg>'
    )


def front_svg(record: Mapping[str, Any]) -> str:
    """An SVG of accuracy against arena: all trials that have both, those of the front filled."""
    trials = [trial for trial in record["trials"] if trial["values"]]
    points = [(trial["values"][1], trial["values"][0], trial["number"] in record["front"]) for trial in trials]
    arenas, scores = [p[0] for p in points] or [0, 1], [p[1] for p in points] or [0, 1]
    wide, high, edge = WIDTH - 100, 300, 50

    def at(arena: float, score: float) -> tuple[float, float]:
        x = (arena - min(arenas)) / ((max(arenas) - min(arenas)) or 1)
        y = (score - min(scores)) / ((max(scores) - min(scores)) or 1)
        return edge + x * wide, 20 + (1 - y) * high

    dots = []
    for arena, score, best in points:
        x, y = at(arena, score)
        fill = "#4477aa" if best else "none"
        dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="#4477aa"/>')
    ends = (
        f'<text x="{edge}" y="{high + 45}">{min(arenas):,.0f} bytes of arena</text>'
        f'<text x="{edge + wide}" y="{high + 45}" text-anchor="end">{max(arenas):,.0f}</text>'
        f'<text x="4" y="{high + 20}">{min(scores):.3f}</text><text x="4" y="24">{max(scores):.3f}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{high + 60}" font-family="sans-serif" '
        f'font-size="11" fill="currentColor">{"".join(dots)}{ends}</svg>'
    )
