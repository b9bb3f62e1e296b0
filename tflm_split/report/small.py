"""What a notebook shows of a result: the page's pictures and sentences in small, without scripts or style sheets of its own.

Notebooks drop scripts, and styles too where a file is not trusted, so colours are attributes, and each rectangle has a title.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tflm_split.analysis.boards import core_of
from tflm_split.report.command_records import FrontRecord, InspectionRecord
from tflm_split.report.front import LINE_TITLES, line_rows, stairs
from tflm_split.report.markup import Child, Markup, element, joined, table
from tflm_split.report.record_types import BUDGET_KEY
from tflm_split.report.summary import bottleneck_sentence, headline, verdict_sentence
from tflm_split.report.svg import front_svg, memory_svg
from tflm_split.report.timeline import Timeline
from tflm_split.report.view import OperatorView, View
from tflm_split.sizes import format_bytes

MOST_RECTANGLES = 250
"""Fewer than on the page: a notebook is stored with its outputs, and reviewed."""
COLOURS = (
    "#8c959f", "#3b76c4", "#3c97d4", "#36b0b0", "#42b077", "#87b447", "#c9ad38", "#dd8f3c", "#d66a4c", "#b5527d",
)  # fmt: skip
"""By shade, to be seen on white and on black."""


def small_result(view: View) -> str:
    """Headline, numbers, both pictures, the bottleneck and what was compared."""
    record = view.record
    before, after = record["original"], record["optimized"]
    rows: list[list[Child]] = [
        [f"arena to set aside on a {core_of(record['latency']['board'])}", before[BUDGET_KEY], after[BUDGET_KEY]],
        ["head", before["planned_head_bytes"], after["planned_head_bytes"]],
        ["multiply-accumulates", record["model"]["macs"], after["macs"]],
    ]
    parts: list[Child] = [element("b", headline(record)), _table(["", "before", "after"], rows)]
    parts += [_picture("before", view.before), _picture("after", view.after) if view.after else None]
    if record["bottleneck"]:
        parts.append(element("p", bottleneck_sentence(record["bottleneck"])))
    parts.append(element("p", verdict_sentence(record)))
    if record["refusals"]:
        stay: list[list[Child]] = [[r["op"], r["operator"], r["reason"], r["advice"]] for r in record["refusals"]]
        title = element("summary", f"What stays as it was: {len(stay)} of {record['model']['ops']} operators")
        parts.append(element("details", title, _table(["op", "kind", "why", "what can be done"], stay)))
    return _box(parts)


def small_front(record: FrontRecord) -> str:
    """The staircase, and a line per result."""
    rows: list[list[Child]] = [
        [p["planned_head_bytes"], p[BUDGET_KEY], p["predicted_instructions"], f"{p['slowdown']:.3f}", p["macs"]]
        for p in record["points"]
    ]
    titles = ["head, B", "arena to set aside, B", f"instructions on {record['board']}", "slowdown", "MACs"]
    svg = _plain(front_svg(stairs(record)).replace("<svg ", '<svg style="width:100%;height:200px" ', 1))
    lines = _table(LINE_TITLES, list(line_rows(record))) if record["lines"] else None
    return _box([element("b", f"{record['model']}: what less memory costs in time"), svg, _table(titles, rows), lines])


def small_inspection(record: InspectionRecord, operators: Sequence[OperatorView], timeline: Timeline) -> str:
    """What a file needs, the picture, and a line per operator."""
    rows: list[list[Child]] = [
        [
            "+".join(map(str, op["source"])), op["kind"], "x".join(map(str, op["output_shape"])), op["macs"], op["live_bytes"],
            op["treatment"], f"{op['reason']}: {op['advice']}" if op["reason"] else "",
        ]
        for op in operators
    ]  # fmt: skip
    words = (
        f"{record['model']['name']}: a head of {format_bytes(record['predicted_head_bytes'])}; on a Cortex-M an arena of "
        f"{format_bytes(record[BUDGET_KEY])} must be set aside."
    )
    titles = ["op", "kind", "output", "MACs", "live bytes", "split", "why not, and what to do"]
    many = element("details", element("summary", f"{len(rows)} operators"), _table(titles, rows))
    return _box(
        [element("b", words), _picture("in the split file" if record["programs"] else "layer by layer", timeline), many]
    )


def _box(parts: Sequence[Child]) -> str:
    return element("div", *parts, style="max-width:760px")


def _table(titles: Sequence[str], rows: Sequence[Sequence[Child]]) -> Markup:
    plain = table(titles, rows).replace('class="number"', 'style="text-align:right"')
    return Markup(re.sub(r' (?:class="[^"]*"|tabindex="0")', "", plain))


def _picture(title: str, timeline: Timeline) -> Markup:
    style = "width:100%;height:150px;border:1px solid #8884"
    svg = memory_svg(timeline, titles=True, most=MOST_RECTANGLES).replace("<svg ", f'<svg style="{style}" ', 1)
    words = f"{title}: {format_bytes(timeline.head_bytes)} over {len(timeline.running):,} steps"
    return joined([element("div", words, style="margin-top:6px;opacity:.75"), _plain(svg)])


def _plain(svg: str) -> Markup:
    """The picture with colours in place of class names."""
    svg = re.sub(r'class="s(\d)"', lambda found: f'fill="{COLOURS[int(found[1])]}"', svg)
    line = 'vector-effect="non-scaling-stroke" fill="none"'
    svg = svg.replace('class="tight"', f'stroke="#d0404a" stroke-width="1.5" stroke-dasharray="4 3" {line}')
    svg = svg.replace('class="front"', f'stroke="{COLOURS[1]}" stroke-width="2" {line}')
    return Markup(svg.replace('class="dot"', f'stroke="{COLOURS[1]}" stroke-width="10" stroke-linecap="round" {line}'))
