"""Pages in a real browser, headless: no error, nothing loaded, the tooltip, paper, two widths, light and dark."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optimized import optimized
from test_page import evil_model
from user_models import MODELS, float_sine

import tflm_split

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FIVE = ("digits_autoencoder", "digits_mobilenet_v1_025_96", "digits_mobilenet_v2", "digits_resnet8", "languages_text")
MOST_BYTES = 3_000_000
TEXT = "document.getElementById('tip').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium: pages are not opened")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed (the extra `test`)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page in the browser, and all that went wrong with it."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.requests: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, *_: object) -> None:
        self.context.close()
        assert self.faults == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:"))] == []
        assert len([url for url in self.requests if url.startswith("file:")]) == 1


def written(folder: Path, page: str) -> Path:
    path = folder / "report.html"
    path.write_text(page, "utf-8")
    assert path.stat().st_size < MOST_BYTES
    return path


@pytest.mark.parametrize("name", FIVE)
def test_a_report_works_without_a_network(name: str, browser: Any, tmp_path: Path) -> None:
    result = optimized(MODELS / f"{name}.tflite")
    with Opened(browser, written(tmp_path, result.html())) as page:
        for number, svg in enumerate(page.locator("svg.memory").all()):
            svg.scroll_into_view_if_needed()
            box = svg.locator("rect").first.bounding_box()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            assert page.locator("#tip").is_visible(), number
            words = page.evaluate(TEXT)
            assert " B at " in words
            assert "now step " in words
            assert svg.locator("rect.on").count() == 1
        page.mouse.move(1, 1)
        assert not page.locator("#tip").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        paper = page.pdf(format="A4")
        assert paper.startswith(b"%PDF")
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.querySelector('.long')).overflowY") == "visible"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_shows_all_of_it(scheme: str, browser: Any, tmp_path: Path) -> None:
    path = written(tmp_path, optimized(MODELS / "digits_mobilenet_v1_025_96.tflite").html())
    with Opened(browser, path, width=400, scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        ink, back = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
        light = [sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(","))) for colour in (ink, back)]
        assert abs(light[0] - light[1]) > 500
        assert (light[0] < light[1]) == (scheme == "light")
        for words in page.locator("p, td, figcaption, small").all()[:40]:
            box = words.bounding_box()
            assert box is None or box["height"] > 10


def test_a_front_and_a_refusal_have_pages(browser: Any, tmp_path: Path) -> None:
    front = tflm_split.pareto(MODELS / "digits_wide.tflite", verify=False, effort=20)
    with Opened(browser, written(tmp_path, front.html())) as page:
        assert page.locator("svg.pareto .dot").count() == len(front)
    with Opened(browser, written(tmp_path, tflm_split.optimize(float_sine(), verify=False).html())) as page:
        assert page.locator("h2", has_text="Operators").is_visible()


def test_names_of_a_hostile_model_are_shown_and_do_nothing(browser: Any, tmp_path: Path) -> None:
    with Opened(browser, written(tmp_path, tflm_split.optimize(evil_model(), verify=False).html())) as page:
        assert "<script>alert(1)</script>" in page.locator("body").inner_text()
        assert page.locator("img").count() == 0
