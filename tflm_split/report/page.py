"""One self-contained HTML page about a result: no network, light and dark, on paper too.

Text from the model is escaped, and a content security policy lets nothing be loaded, and no script run but the page's own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources

from tflm_split.analysis.boards import core_of
from tflm_split.report.command_records import FrontRecord
from tflm_split.report.front import LINE_TITLES, line_rows, stairs
from tflm_split.report.markup import Child, Markup, breakable, element, escaped, joined, table
from tflm_split.report.record_types import BUDGET_KEY, Record
from tflm_split.report.summary import (
    bottleneck_sentence,
    doubts,
    headline,
    latency_sentence,
    packing_sentence,
    short_name,
    verdict_sentence,
)
from tflm_split.report.svg import both_svg, drawn, front_limits, front_svg, memory_svg
from tflm_split.report.timeline import Timeline
from tflm_split.report.two_memories import memories_sentence
from tflm_split.report.view import View
from tflm_split.report.window import window_sentence
from tflm_split.sizes import format_bytes


def result_page(view: View, front: FrontRecord | None = None) -> str:
    """The page about one result, with the Pareto front it is from, if any."""
    record = view.record
    timelines = [view.before, *([view.after] if view.after else [])]
    body = [
        element("h1", breakable(record["model"]["name"])),
        element("p", headline(record)),
        _kept(record),
        _tiles(view),
        _memory(view),
        _bottleneck(view),
        _front(front),
        _operators(view),
        _refusals(record),
        _arena(view),
        _axes(view),
        _verification(record),
        _firmware(record),
    ]
    return document(record["model"]["name"], body, timelines)


def front_page(record: FrontRecord) -> str:
    """The page about a Pareto front alone."""
    return document(record["model"], [element("h1", breakable(record["model"])), _front(record)], [])


def document(title: str, body: Sequence[Child], timelines: Sequence[Timeline]) -> str:
    """A whole page. `timelines` are those whose pictures have a tooltip, in the order in which they come."""
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    head = joined(
        [
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<link rel="icon" href="data:,">'),
            element("title", f"{title}: tflm_split"),
            element("style", Markup(_file("page.css"))),
        ]
    )
    end = [
        Markup('<div id="tip" role="status" hidden></div>'),
        element("script", Markup(_data(timelines)), id="pictures", type="application/json"),
        element("script", Markup(script)),
    ]
    page = element("html", element("head", head), element("body", *body, *end), lang="en")
    return f"<!doctype html>\n{page}\n"


def _file(name: str) -> str:
    return resources.files("tflm_split.report").joinpath(name).read_text("utf-8")


def _data(timelines: Sequence[Timeline]) -> str:
    """What the tooltips say, as JSON that cannot end the script it stands in."""
    pictures = []
    for timeline in timelines:
        rectangles = drawn(timeline)
        names = {name: k for k, name in enumerate(dict.fromkeys(r.name for r in rectangles))}
        pictures.append(
            {
                "names": [short_name(name) for name in names],
                "operators": [label.split(" '")[0].split(' "')[0] for label in timeline.operators],
                "running": timeline.running,
                "rectangles": [(names[r.name], r.first_row, r.rows) for r in rectangles],
            }
        )
    text = json.dumps(pictures, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _kept(record: Record) -> Child:
    if not record["kept_original"]:
        return None
    return element("p", f"The result is the original, unchanged: {record['kept_original']}.", class_="bad")


def _tiles(view: View) -> Markup:
    record = view.record
    before, after, latency = record["original"], record["optimized"], record["latency"]
    verified, instructions = record["verified"], latency["predicted_instructions"]
    whole = latency["predicted_layer_wise_instructions"]
    tiles = [
        _tile(
            f"arena to set aside on a {core_of(latency['board'])}",
            format_bytes(after[BUDGET_KEY]),
            f"was {format_bytes(before[BUDGET_KEY])}",
        ),
        _tile("head", format_bytes(after["planned_head_bytes"]), f"was {format_bytes(before['planned_head_bytes'])}"),
        _tile("multiply-accumulates", f"{after['macs']:,}", f"was {record['model']['macs']:,}"),
        _tile(
            f"predicted instructions on {latency['board']}",
            "-" if instructions is None else f"{instructions:,}",
            f"{instructions / (whole or 1):.3f} of layer by layer" if instructions else "",
        ),
        _tile(
            "every output byte",
            "not compared" if not verified or verified["bit_exact"] is None else "equal" if verified["bit_exact"] else "differs",
            f"on {verified['inputs']} inputs" if verified else "--no-verify was asked for",
            "good" if verified and verified["bit_exact"] else "bad",
        ),
    ]  # fmt: skip
    return element("div", *tiles, class_="tiles")


def _tile(title: str, value: str, note: str, tone: str = "") -> Markup:
    return element(
        "div", element("small", title), element("b", value, class_=tone), element("small", note), class_="tile"
    )


def _memory(view: View) -> Markup:
    before, after = view.before, view.after
    key = [_key("whole", "layer by layer"), _key("split", "split") if after else None]
    parts: list[Child] = [
        element("h2", "Memory against time"),
        element(
            "p",
            "Each rectangle is a tensor, or a row of one: as high as its bytes, as wide as its life. No layout is lower than the "
            "pile at the dashed line, the moment at which most is alive. Point at one to see what it is.",
        ),
        _figure(
            "Bytes alive during one inference, at one scale", both_svg(before, after), max(before.head_bytes, 1), key
        ),
        _picture("Before", 0, before, "operators"),
    ]
    if after:
        parts.append(_picture("After", 1, after, "steps"))
    return joined(parts)


def _picture(title: str, number: int, timeline: Timeline, unit: str) -> Markup:
    svg = memory_svg(timeline).replace("<svg ", f'<svg data-k="{number}" ', 1)
    key = [_key("input", "input"), _key("ramp", "first to last layer"), _key("tight", "tightest")]
    words = f"{title}: a head of {format_bytes(timeline.head_bytes)} over {len(timeline.running):,} {unit}"
    ends = element("div", element("span", f"0 {unit}"), element("span", len(timeline.running)), class_="steps")
    return _figure(words, svg, timeline.head_bytes, key, ends)


def _key(kind: str, words: str) -> Markup:
    return element("span", element("i", class_=kind), words)


def _figure(caption: str, svg: str, top: float, key: Sequence[Child], below: Child = None) -> Markup:
    marks = [1.0, 0.75, 0.5, 0.25, 0.0]
    axis = [Markup(f'<span style="top:{100 * (1 - m):g}%">{_short_bytes(top * m)}</span>') for m in marks]
    chart = element("div", element("div", *axis, class_="axis"), Markup(svg), class_="chart")
    return element("figure", element("figcaption", caption), chart, below, element("div", *key, class_="key"))


def _short_bytes(nbytes: float) -> str:
    return f"{nbytes / 1024:.3g} KiB" if nbytes >= 1024 else f"{nbytes:.0f} B"


def _bottleneck(view: View) -> Child:
    bottleneck, packing = view.record["bottleneck"], view.record["optimized"]["packing"]
    if bottleneck is None:
        return None
    live: list[list[Child]] = [
        [short_name(held["tensor"]), held["pieces"], held["bytes"]] for held in bottleneck["live"][:12]
    ]
    return joined(
        [
            element("h2", "Where memory is tightest"),
            element("p", bottleneck_sentence(bottleneck)),
            element("p", packing_sentence(packing)) if packing else None,
            table(["alive at this moment", "pieces", "bytes"], live),
        ]
    )


def _front(front: FrontRecord | None) -> Child:
    if front is None:
        return None
    if not front["points"]:
        return element("p", "No operator of it can be split, so there is nothing to choose from.")
    points = stairs(front)
    rows = [
        [p["planned_head_bytes"], p[BUDGET_KEY], p["predicted_instructions"], f"{p['slowdown']:.3f}", p["macs"], p["program_bytes"]]
        for p in front["points"]
    ]  # fmt: skip
    titles = [
        "head, B",
        "arena to set aside, B",
        f"instructions on {front['board']}",
        "of the fastest",
        "MACs",
        "program, B",
    ]
    slowest, largest = front_limits(points)
    ends = element(
        "div", element("span", "1.00 times the instructions"), element("span", f"{slowest:.2f}"), class_="steps"
    )
    picture = _figure(
        "Head against predicted instructions, as multiples of the fastest result's; each dot is a result",
        front_svg(points),
        largest,
        [],
        ends,
    )
    return joined(
        [
            element("h2", "What less memory costs in time"),
            picture,
            table(titles, rows),
            *(
                [element("h3", "How often rows may come"), table(LINE_TITLES, [*line_rows(front)])]
                if front["lines"]
                else []
            ),
        ]
    )


def _operators(view: View) -> Markup:
    titles = [
        "op",
        "kind",
        "output",
        "MACs",
        "live bytes, whole",
        "live bytes, split",
        "instructions",
        "treatment",
        "why, and what to do",
    ]
    rows = [
        [
            "+".join(map(str, op["source"])), op["kind"], "x".join(map(str, op["output_shape"])), op["macs"], op["live_bytes"],
            op["split_live_bytes"], op["instructions"], op["treatment"], f"{op['reason']}: {op['advice']}" if op["reason"] else "",
        ]
        for op in view.operators
    ]  # fmt: skip
    note = "Live bytes, split: the most that is alive during one of its steps. Instructions are predicted."
    return joined([element("h2", "Operators"), element("p", note, class_="pale"), table(titles, rows, class_="long")])


def _refusals(record: Record) -> Child:
    if not record["refusals"]:
        return None
    rows: list[list[Child]] = [[r["op"], r["operator"], r["reason"], r["advice"]] for r in record["refusals"]]
    return joined(
        [
            element("h2", "What stays as it was"),
            table(["op", "kind", "why", "what can be done about it"], rows, class_="long"),
        ]
    )


def _arena(view: View) -> Markup:
    record, before, after = view.record, view.record["original"], view.record["optimized"]
    rows: list[list[Child]] = [
        [f"{arena.kernels}: to set aside", arena.before_bytes, arena.after_bytes] for arena in view.arenas
    ]
    rows += [
        ["x86-64, reference kernels, measured", before["measured_arena_bytes"], after["measured_arena_bytes"]],
        ["of it the head, measured", before["measured_head_bytes"], after["measured_head_bytes"]],
        ["of it the tail, measured", before["measured_tail_bytes"], after["measured_tail_bytes"]],
        ["flash: the file", record["model"]["file_bytes"], after["file_bytes"]],
    ]
    note = (
        "Arenas on a 32-bit Arm are predicted by TFLM's own rules. Operators that are split run on kernels that need no scratch; "
        "those that stay stock ask for the scratch of the kernels that the firmware links."
    )
    return joined(
        [
            element("h2", "Arena by kernels"),
            table(["bytes", "before", "after"], [row for row in rows if row[1] is not None]),
            element("p", note, class_="pale"),
            element("p", record["what_is_counted"], class_="pale"),
        ]
    )


def _axes(view: View) -> Child:
    axes = view.axes
    if axes is None or not axes["axes"]:
        return None
    rows: list[list[Child]] = [
        [axis["axis"], axis["size"], len(axis["tensors"]), axis["bytes"]] for axis in axes["axes"]
    ]
    name = short_name(axes["tensor"])
    what = f"The largest tensor where memory is tightest, {name}, can be cut along these axes, with these others:"
    titles = ["axis", "size", "tensors that one cut goes through", "their bytes"]
    return joined([element("h2", "Axes"), element("p", what), table(titles, rows)])


def _verification(record: Record) -> Markup:
    changes = [f"The interface changed: {change['sentence']}." for change in record["interface_changes"]]
    streams = filter(None, (record["stream"], record["stream_output"]))
    changes += [f"The interface changed: {stream['sentence']}." for stream in streams]
    changes += [window_sentence(record["window"])] if record["window"] else []
    changes += [memories_sentence(record["memories"])] if record["memories"] else []
    latency = record["latency"]
    time = latency_sentence(latency) if latency["predicted_instructions"] is not None else None
    said = [verdict_sentence(record), " ".join(doubts(record)), time, *changes]
    return joined([element("h2", "Verification"), *(element("p", words) for words in said if words)])


def _firmware(record: Record) -> Child:
    if not record["optimized"]["regions"]:
        return None
    code = (
        "tflm-split export model_split.tflite -o generated      # the model as an aligned array\n"
        "tflm-split runtime model_split.tflite -o lib --for cmake  # or make, arduino, esp-idf, zephyr\n\n"
        '#include "tflm_split.h"\n'
        f"alignas(16) static uint8_t tensor_arena[{record['optimized'][BUDGET_KEY]}];\n"
        'resolver.AddCustom("TFLM_SPLIT", tflm_split::Register_TFLM_SPLIT());\n'
    )
    slow = record["memories"]["slow_used_bytes"] if record["memories"] else 0
    if slow:
        code += (
            f"alignas(16) static uint8_t slow_memory[{slow}];  // in the section of the slow memory\n"
            "tflm_split::SetSlowMemory(slow_memory, sizeof slow_memory);  // before AllocateTensors()\n"
        )
    return joined([element("h2", "In the firmware"), element("pre", code)])
