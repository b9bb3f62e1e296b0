"""The HTML page about a result, and what a notebook shows: complete, self-contained, and never more than text from a model."""

from __future__ import annotations

import html.parser
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimized import optimized
from tiny_models import Op, T, build_model
from user_models import MODELS, float_sine, small_network

import tflm_split
from tflm_split.cli import main
from tflm_split.report.front import front_record
from tflm_split.report.markup import breakable, element, escaped
from tflm_split.report.page import front_page
from tflm_split.report.svg import drawn, memory_svg
from tflm_split.report.timeline import Rectangle, Timeline, plan_timeline

EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\x1b[31m"


class Parsed(html.parser.HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def resnet() -> tflm_split.Result:
    return optimized(MODELS / "digits_resnet8.tflite")


def test_the_page_says_what_the_record_says(resnet: tflm_split.Result) -> None:
    page = Parsed(resnet.html())
    report = resnet.report
    assert page.open == []
    assert len(resnet.html()) < 3_000_000
    for words in (
        "Memory against time",
        "Where memory is tightest",
        "Operators",
        "Arena by kernels",
        "Axes",
        "Verification",
    ):
        assert words in page.text
    for number in (
        report["optimized"]["planned_head_bytes"], report["original"]["planned_head_bytes"],
        report["optimized"]["predicted_arm32_minimum_arena_bytes"], report["latency"]["predicted_instructions"],
        report["bottleneck"]["live"][0]["bytes"],
    ):  # fmt: skip
        assert f"{number:,}" in page.text
    assert f"tensor_arena[{report['optimized']['predicted_arm32_minimum_arena_bytes']}]" in page.text


def test_nothing_is_loaded_and_no_other_script_runs(resnet: tflm_split.Result) -> None:
    page = Parsed(resnet.html())
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    (policy,) = (a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in re.sub(r"sha256-\S+", "", policy)


def test_the_pictures_are_the_layouts(resnet: tflm_split.Result) -> None:
    view = resnet.view()
    assert view.after is not None
    assert view.before.head_bytes == resnet.report["original"]["planned_head_bytes"]
    assert view.after.head_bytes == resnet.report["optimized"]["planned_head_bytes"]
    assert max(view.after.live_bytes) == resnet.report["bottleneck"]["live_bytes"]
    assert view.after.tightest == resnet.report["bottleneck"]["step"]
    for timeline in (view.before, view.after):
        assert all(r.address >= 0 and r.address + r.bytes <= timeline.head_bytes for r in timeline.rectangles)
        assert all(0 <= r.start < r.stop <= len(timeline.running) for r in timeline.rectangles)
        assert memory_svg(timeline).count("<rect ") == len(timeline.rectangles)
    alive = [r for r in view.before.rectangles if r.start <= view.before.tightest < r.stop]
    assert sum(r.bytes for r in alive) == max(view.before.live_bytes)


def test_groups_of_channels_have_the_colour_of_their_tensor() -> None:
    """A group is made by no operator of its own; it was once drawn as if the last layer made it."""
    plan = optimized(MODELS / "digits_mobilenet_v2.tflite", effort="low", verify=False).plan
    assert plan is not None and plan.split.part_of
    after = plan_timeline(plan)
    groups = [r for r in after.rectangles if re.search(r"\[\d+:\d+\]$", r.name) and r.start < 50]
    assert groups
    assert max(r.depth for r in groups) < 0.2


def test_rectangles_that_live_together_lie_apart(resnet: tflm_split.Result) -> None:
    view = resnet.view()
    for timeline in (view.before, view.after):
        assert timeline is not None
        for step in range(0, len(timeline.running), 7):
            alive = sorted((r for r in timeline.rectangles if r.start <= step < r.stop), key=lambda r: r.address)
            shared = [b for a, b in itertools.pairwise(alive) if b.address < a.address + a.bytes]
            assert len(shared) <= 2  # a row may be written over one that dies in this step


def test_operators_are_records(resnet: tflm_split.Result) -> None:
    operators = resnet.operators()
    assert len(operators) == len(resnet.plan.split.graph.operators) if resnet.plan else False
    assert json.loads(json.dumps(operators)) == operators
    predicted = resnet.report["latency"]["predicted_instructions"]
    assert predicted is not None
    assert sum(op["instructions"] or 0 for op in operators) <= predicted
    assert max(op["split_live_bytes"] or 0 for op in operators) == resnet.report["bottleneck"]["live_bytes"]


def test_refusals_come_with_what_to_do() -> None:
    result = tflm_split.optimize(float_sine(), verify=False)
    page, small = Parsed(result.html()).text, Parsed(result._repr_html_()).text
    for refusal in result.report["refusals"]:
        assert refusal["advice"] in page
        assert refusal["advice"] in small
    assert "The result is the original, unchanged" in page or result.plan


def evil_model() -> bytes:
    tensors = [T((1, 4), name=f"in{EVIL}"), T((1, 4), name=f"out{EVIL}")]
    return build_model(tensors, [Op(f"CUSTOM:{EVIL}", [0], [1])], [0], [1])


def test_text_from_a_model_stays_text() -> None:
    result = tflm_split.optimize(evil_model(), verify=False)
    for shown in (result.html(), result._repr_html_(), tflm_split.inspect(evil_model())._repr_html_()):
        page = Parsed(shown)
        assert "img" not in [tag for tag, _ in page.elements]
        assert [tag for tag, _ in page.elements].count("script") in (0, 2)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "<script>alert" in page.text or len(page.elements) < 20


@settings(max_examples=30)
@given(st.text())
def test_every_text_survives_as_text(text: str) -> None:
    page = Parsed(element("p", text, title=text))
    assert [tag for tag, _ in page.elements] == ["p"]
    assert html.unescape(escaped(text)) == page.text
    assert Parsed(element("p", breakable(text))).text == page.text
    assert set(re.findall("<[^>]*>", breakable(text))) <= {"<wbr>"}


def test_many_rows_are_drawn_together() -> None:
    rows = tuple(Rectangle("t", k, 1, 8 * k, 8, k, k + 50, 0.5) for k in range(30_000))
    timeline = Timeline(rows, ("op 0 ADD 't'",), (0,) * 30_050, (8,) * 30_050, 240_000)
    boxes = drawn(timeline)
    assert len(boxes) <= 12_000
    assert sum(box.rows for box in boxes) == len(rows)
    apart = replace(timeline, rectangles=tuple(replace(r, name=str(r.first_row)) for r in rows))
    assert len(drawn(apart)) == len(rows)


def test_a_front_has_a_page() -> None:
    front = tflm_split.pareto(MODELS / "digits_wide.tflite", verify=False, effort=20)
    page = Parsed(front.html())
    assert "What less memory costs in time" in page.text
    for result in front:
        assert f"{result.report['optimized']['planned_head_bytes']:,}" in page.text
    assert repr(front) == f"Front('digits_wide': {len(front)} results, heads of {', '.join(heads(front))} B)"
    assert Parsed(front._repr_html_()).open == []
    assert "nothing to choose from" in Parsed(front_page(front_record("none", []))).text


def heads(front: tflm_split.Front) -> list[str]:
    return [f"{result.report['optimized']['planned_head_bytes']:,}" for result in front]


def test_the_command_writes_the_page_at_once_with_the_rest(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(small_network())
    page, split = tmp_path / "report.html", tmp_path / "split.tflite"
    assert code("optimize", model, "--no-verify", "--html", page, "-o", split) == 0
    assert page.read_text("utf-8") == tflm_split.optimize(model, verify=False).html()
    assert code("optimize", model, "--no-verify", "--html", page, "-o", tmp_path / "new.tflite") == 2
    assert not (tmp_path / "new.tflite").exists()
    assert code("optimize", model, "--no-verify", "--html", page, "-o", page, "--force") == 2
    assert code("pareto", model, "--no-verify", "--effort", "20", "--html", tmp_path / "front.html") == 0
    assert "What less memory costs in time" in (tmp_path / "front.html").read_text("utf-8")


def code(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def test_plots_need_matplotlib_and_say_so(resnet: tflm_split.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(tflm_split.errors.ToolError, match=r"matplotlib.*pip install 'tflm_split\[report\]'"):
        resnet.plot_memory()


def test_plots_are_drawn(resnet: tflm_split.Result) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="pictures are drawn with the extra `report`")
    matplotlib.use("agg")
    before, after = resnet.plot_memory()
    assert f"{resnet.report['optimized']['planned_head_bytes']:,} B" in after.get_title(loc="left")
    assert before.collections[0].get_paths()
    one = tflm_split.inspect(MODELS / "digits_wide.tflite").plot_memory()
    assert "2,112 B" in one.get_title(loc="left")
    front = tflm_split.pareto(small_network(), verify=False, effort=20)
    assert len(front.plot().lines[-1].get_xdata()) == len(front)
