"""Draws `docs/figures/memory.svg`: the bytes alive while a model runs, whole layers against split.

`python scripts/draw_memory.py [file.tflite] [--output FILE]`; without a file, the person detector of `models/`. Time runs
in multiply-accumulates, of which both have the same; an operator without any gets a sliver. The dashed lines are the heads
that TFLM itself measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tflm_split
from tflm_split.analysis.liveness import live_bytes_per_operator
from tflm_split.analysis.macs import graph_macs, macs
from tflm_split.errors import InputError
from tflm_split.report.bottleneck import live_bytes_per_step
from tflm_split.tflite.reader import read_model

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "digits_mobilenet_v1_025_96.tflite"
FIGURE = ROOT / "docs" / "figures" / "memory.svg"

WIDTH, HEIGHT = 800, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 50
WHOLE, SPLIT, INK, PALE = "#c9ced6", "#1f77b4", "#22272e", "#8b949e"
_SLIVER = 1 / 400
"""The least part of the time axis that an operator gets."""


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes alive over time: `live_bytes[k]` for a part `shares[k]` of the inference; the head TFLM measured."""

    live_bytes: tuple[int, ...]
    shares: tuple[float, ...]
    measured_head_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the memory of a model over time, before and after splitting.")
    parser.add_argument("model", nargs="?", type=Path, default=MODEL, metavar="file.tflite")
    parser.add_argument("--output", type=Path, default=FIGURE, metavar="FILE")
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(figure(arguments.model))


def figure(path: Path) -> str:
    """The SVG for one model. Raises InputError for a model that splitting does not help."""
    result = tflm_split.optimize(path)
    if result.plan is None:
        raise InputError(f"{path}: {result.report['kept_original']}")
    graph, plan, report = read_model(path).graph, result.plan, result.report
    total = graph_macs(graph)
    whole = Run(
        live_bytes_per_operator(graph),
        _normal([macs(graph, op) / total for op in graph.operators]),
        report["original"]["measured_head_bytes"],
    )
    row_ops, steps = plan.split.row_ops, [plan.step_graph.steps[s] for s in plan.schedule.steps]
    counts = [macs(plan.split.graph, plan.split.graph.operators[s.node]) for s in steps]
    split = Run(
        live_bytes_per_step(plan),
        _normal(
            [
                (count if step.row_op is None else row_ops[step.row_op].macs_per_step) / total
                for step, count in zip(steps, counts, strict=True)
            ],
            sliver=_SLIVER / 10,
        ),
        report["optimized"]["measured_head_bytes"],
    )
    input_bytes = sum(graph.tensors[t].bytes for t in graph.inputs)
    return _svg(report["model"]["name"], whole, split, input_bytes)


def _normal(shares: Sequence[float], sliver: float = _SLIVER) -> tuple[float, ...]:
    wide = [max(share, sliver) for share in shares]
    return tuple(share / sum(wide) for share in wide)


def _svg(name: str, whole: Run, split: Run, input_bytes: int) -> str:
    top_bytes = 1.08 * max(whole.measured_head_bytes, max(whole.live_bytes))
    body = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 26, f"Bytes alive during one inference of {name}", size=16),
        *_grid(top_bytes),
        f'<path d="{_area(whole, top_bytes)}" fill="{WHOLE}"/>',
        f'<path d="{_area(split, top_bytes)}" fill="{SPLIT}"/>',
        *_head(whole, top_bytes, f"stock TFLM takes {whole.measured_head_bytes:,} B", INK),
        *_head(
            split,
            top_bytes,
            f"split: {split.measured_head_bytes:,} B, the {input_bytes:,} B of the input included",
            SPLIT,
        ),
        _text(LEFT + 105, _y(max(whole.live_bytes), top_bytes) + 16, "layer by layer"),
        _text(LEFT + 8, _y(0, top_bytes) - 12, "split into rows", fill="white"),
        _text(WIDTH - RIGHT, HEIGHT - 14, "progress of the inference, in multiply-accumulates", anchor="end"),
    ]
    lines = "\n".join(f"  {line}" for line in body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" role="img">\n{lines}\n</svg>\n'
    )


def _area(run: Run, top_bytes: float) -> str:
    """A step curve down to the axis."""
    floor = _y(0, top_bytes)
    points, x = [f"M{LEFT:.1f},{floor:.1f}"], 0.0
    for nbytes, share in zip(run.live_bytes, run.shares, strict=True):
        y = _y(nbytes, top_bytes)
        points.append(f"L{_x(x):.1f},{y:.1f}")
        x += share
        points.append(f"L{_x(x):.1f},{y:.1f}")
    return " ".join([*points, f"L{_x(1.0):.1f},{floor:.1f}Z"])


def _head(run: Run, top_bytes: float, what: str, colour: str) -> list[str]:
    y = _y(run.measured_head_bytes, top_bytes)
    return [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-dasharray="6 4"/>',
        _text(WIDTH - RIGHT, y - 6, what, fill=colour, anchor="end"),
    ]


def _grid(top_bytes: float) -> list[str]:
    step = 2 ** max(10, int(top_bytes / 4).bit_length() - 1)
    lines = []
    for nbytes in range(0, int(top_bytes) + 1, step):
        y = _y(nbytes, top_bytes)
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e6e8eb"/>')
        lines.append(_text(LEFT - 8, y + 4, f"{nbytes // 1024} KiB", fill=PALE, anchor="end"))
    return lines


def _text(x: float, y: float, words: str, *, size: int = 13, fill: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}">{words}</text>'


def _x(part: float) -> float:
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _y(nbytes: float, top_bytes: float) -> float:
    return HEIGHT - BOTTOM - nbytes / top_bytes * (HEIGHT - TOP - BOTTOM)


if __name__ == "__main__":
    main()
