"""Text from a model file is shown, never obeyed: no name in it moves the cursor, changes colours or forges a line."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import Op, T, build_model

from tflm_split.cli import main
from tflm_split.ir.printable import printable
from tflm_split.terminal.output import LAYOUT
from tflm_split.tflite.reader import read_model

EVIL = "\x1b[31mred\x1b]0;title\x07\r\nforged line\u202eback\x9b2J"


@given(st.text())
def test_what_is_printable_stays_and_everything_else_is_escaped(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert (shown == text) == text.isprintable()
    assert not [c for c in printable(text, keep=LAYOUT) if unicodedata.category(c) in ("Cc", "Cf") and c not in LAYOUT]


def evil_model() -> bytes:
    tensors = [T((1, 4), name=f"in{EVIL}"), T((1, 4), name=f"out{EVIL}")]
    return build_model(tensors, [Op(f"CUSTOM:{EVIL}", [0], [1])], [0], [1])


def test_the_reader_escapes_every_text_of_the_file() -> None:
    graph = read_model(evil_model()).graph
    for text in (graph.operators[0].kind, *(tensor.name for tensor in graph.tensors)):
        assert text.isprintable()
        assert "\\x1b[31mred" in text
        assert "\\nforged line" in text


@pytest.mark.parametrize(
    "command", [["inspect"], ["inspect", "--json"], ["optimize", "--no-verify"], ["optimize"], ["pareto"]]
)
def test_no_command_prints_what_a_terminal_would_act_on(command: list[str], tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "evil\x1b[2J.tflite"
    path.write_bytes(evil_model())
    with pytest.raises(SystemExit):
        main([*command, str(path)])
    out, err = capsys.readouterr()
    assert out or err
    for text in (out, err):
        assert [c for c in text if not c.isprintable() and c != "\n"] == []
        assert not any(line.startswith("forged line") for line in text.splitlines())
