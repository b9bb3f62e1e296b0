"""Takes the pictures of `docs/looking.md`: the report's page and the front's, wide and narrow, light and dark, in Chromium.

`python scripts/draw_pages.py`; needs Chromium and the extra `test`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import tflm_split

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "figures"
PICTURES = (
    ("report", "page_wide", 1280, 1010, "light"),
    ("report", "page_narrow_dark", 400, 1160, "dark"),
    ("front", "page_front", 1280, 620, "light"),
    ("front", "page_front_dark", 400, 620, "dark"),
)
"""Page, file stem, width and height in pixels, colour scheme."""


def main() -> None:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("there is no Chromium: install chromium or google-chrome")
    models = ROOT / "models"
    pages = {
        "report": tflm_split.optimize(models / "digits_mobilenet_v1_025_96.tflite").html(),
        "front": tflm_split.pareto(models / "digits_wide.tflite").html(),
    }
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, text in pages.items():
            (Path(folder) / f"{name}.html").write_text(text, "utf-8")
        for name, stem, width, height, scheme in PICTURES:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto((Path(folder) / f"{name}.html").as_uri())
            if name == "front":
                page.locator("h2", has_text="What less memory").evaluate("heading => heading.scrollIntoView()")
            page.screenshot(path=FIGURES / f"{stem}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
