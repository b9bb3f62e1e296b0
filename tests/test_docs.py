"""The README and the pages of docs/: they build strictly, their links lead somewhere, and their commands run as they stand.

A block of shell or Python runs, unless a comment in front of it says why not: `<!-- not run here: needs a board -->`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tflm_split.cli import main

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import cells  # noqa: E402  # scripts/ is no package

PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *PAGES]
BLOCK = re.compile(
    r"(?:<!-- not run here: (?P<why>[^>]+) -->\n)?```(?P<language>sh|python)\n(?P<text>.*?)```",
    re.DOTALL,
)
RAN_ELSEWHERE = {"README.md": r"python3 -m venv"}
"""By document: how the commands begin that `test_package.py` holds against `.ci/run`, or that install everything."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: Path
    language: str
    text: str
    why_not: str | None


def blocks(document: Path) -> Iterator[Block]:
    for found in BLOCK.finditer(document.read_text("utf-8")):
        yield Block(document, found["language"], found["text"], found["why"])


def ran(document: Path) -> list[Block]:
    begins = RAN_ELSEWHERE.get(document.name)
    return [b for b in blocks(document) if b.why_not is None and not (begins and re.match(begins, b.text))]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the repository's models and scripts are, and nothing of it can be written over."""
    for name in ("models", "scripts", "docs", "README.md", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "vww.tflite").write_bytes(small_camera_model())
    (tmp_path / "unet.tflite").write_bytes(small_map_model())
    np.save(tmp_path / "picture.npy", np.zeros((1, 96, 96, 3), np.int8))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def small_camera_model() -> bytes:
    """A network that takes a picture of 96 x 96 pixels, and is quickly split."""
    layers = [cells.Layer(cells.INPUT, (), (96, 96, 3))]
    for rows, channels in ((48, 8), (24, 16), (12, 16)):
        layers.append(cells.Layer("CONV_2D", (len(layers) - 1,), (rows, rows, channels), 3, 2, relu=True))
    return cells.tflite(layers)


def small_map_model() -> bytes:
    """A network that makes a map of such a picture."""
    layers = [cells.Layer(cells.INPUT, (), (96, 96, 3))]
    for channels in (4, 2):
        layers.append(cells.Layer("CONV_2D", (len(layers) - 1,), (96, 96, channels), 3, 1, relu=True))
    return cells.tflite(layers)


def run(command: str) -> None:
    """One line of a shell block; the program's own commands run in this process."""
    words = shlex.split(command, comments=True)
    if words[0] == "tflm-split":
        with pytest.raises(SystemExit) as ended:
            main(words[1:])
        code = ended.value.code or 0
    else:
        if words[0] == "mkdir":
            Path(words[1]).mkdir()
            return
        assert words[0] == "python", f"a document may call python and tflm-split: {command}"
        code = subprocess.run([sys.executable, *words[1:]], check=False, capture_output=True).returncode
    assert code == 0, command


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if ran(d)], ids=lambda d: d.stem)
def test_the_commands_of_a_document_run_as_they_stand(
    document: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {}
    for block in ran(document):
        if block.language == "python":
            exec(compile(block.text, str(document), "exec"), names)
            continue
        for line in block.text.replace("\\\n", " ").strip().splitlines():
            if "tflm-split board" in line and not shutil.which("qemu-system-arm"):
                pytest.skip("no qemu-system-arm: emulated boards cannot run")
            run(line)
    capsys.readouterr()


def test_a_block_that_is_not_run_says_why() -> None:
    reasons = [block.why_not for document in DOCUMENTS for block in blocks(document) if block.why_not]
    assert reasons
    assert all(len(why.split()) > 2 for why in reasons)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.stem)
def test_the_scripts_and_options_that_a_document_names_are_there(document: Path) -> None:
    text = document.read_text("utf-8")
    for name in re.findall(r"`(?:python )?(scripts/\w+\.py)", text):
        assert (ROOT / name).is_file(), name
    known = options_of_all_commands()
    for flags in re.findall(r"`(?:tflm-split [^`]*?)?(--[a-z][\w-]*)[^`]*`", text):
        assert flags in known or flags in ("--update", "--check", "--strict", "--states"), flags


def options_of_all_commands() -> set[str]:
    """Every option that some command has."""
    import click

    from tflm_split.cli import cli

    found: set[str] = set()
    waiting: list[click.Command] = [cli]
    while waiting:
        command = waiting.pop()
        found.update(word for parameter in command.params for word in parameter.opts)
        waiting.extend(getattr(command, "commands", {}).values())
    return found


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as code hosts and MkDocs make them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.stem)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        aim = (document.parent / path).resolve() if path else document
        assert aim.exists(), target
        assert ROOT in (aim, *aim.parents), target
        if anchor:
            assert anchor in anchors(aim), target


def test_the_pages_build_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="MkDocs is not installed (the extra `docs`)")
    pytest.importorskip("material", reason="the theme is not installed (the extra `docs`)")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.parent.name for path in (tmp_path / "site").rglob("index.html")}
    assert {page.stem for page in PAGES if page.stem != "index"} <= made
    for page in (tmp_path / "site").rglob("*.html"):
        with contextlib.suppress(UnicodeDecodeError):
            assert not re.search(r'(?:src|href)="https?://[^"]*(?:fonts|cdn)', page.read_text("utf-8")), page


def test_the_readme_is_short_and_says_the_words_that_people_search_for() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 130
    assert next(k for k, line in enumerate(lines) if "pip install" in line) < 25
    text = " ".join(lines)
    for words in ("TensorFlow Lite Micro", "LiteRT for Microcontrollers", "tensor arena", "SRAM", "offline memory plan",
                  "atch-based inference"):  # fmt: skip
        assert words in text, words
