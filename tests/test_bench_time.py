"""How does the time of `optimize` grow? The fit, the table, and a figure with the same bytes each time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from bench_time import FIGURE, draw, exponent, mobilenet, rows  # noqa: E402  # scripts/ is no package
from cells import tflite  # noqa: E402

from tflm_split.tflite.reader import read_model  # noqa: E402

SQUARE = [
    {"name": str(steps), "group": group, "steps": steps, "cpu_seconds": steps**2 / 1e4}
    for group in ("depth", "models")
    for steps in (100, 200, 400)
]


def test_what_grows_with_the_square_is_found_to() -> None:
    assert exponent(SQUARE) == pytest.approx(2)
    assert [row[-1] for row in rows(SQUARE)] == ["2.0", "2.0", "2.0"]
    assert rows(SQUARE)[-1][:4] == ["all", "6", "100 to 400", "1.0 to 16.0"]


def test_the_same_measurements_are_drawn_the_same(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="drawing needs the extra `report`")
    for name in ("one.svg", "two.svg"):
        draw(SQUARE, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "CPU seconds of optimize" in (tmp_path / "one.svg").read_text()


def test_the_benchmarks_show_the_figure() -> None:
    assert f"({FIGURE.relative_to(ROOT / 'docs').as_posix()})" in (ROOT / "docs" / "benchmarks.md").read_text()
    assert FIGURE.stat().st_size < 40_000


def test_the_networks_grow() -> None:
    small, large = (read_model(tflite(mobilenet(size, 4))).graph for size in (32, 64))
    assert [op.kind for op in small.operators] == [op.kind for op in large.operators]
    assert len(read_model(tflite(mobilenet(32, 8))).graph.operators) == len(small.operators) + 8
