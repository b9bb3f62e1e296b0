"""The study as a picture: one bar for each group of channels at the peak."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

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
