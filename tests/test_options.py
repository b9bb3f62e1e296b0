"""Every option is declared once. Commands, Python functions, record and README agree on it."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import pytest
from user_models import small_network

import tflm_split
from tflm_split.analysis.boards import measured_boards
from tflm_split.cli import cli
from tflm_split.errors import InputError
from tflm_split.options import (
    DEFAULT_SLOWDOWN,
    STREAMED_SLOWDOWN,
    FrontWords,
    Options,
    Words,
    declared,
    options_from,
    taken,
)
from tflm_split.terminal.options import takes_options

ROOT = Path(__file__).resolve().parents[1]


def flags(command: str) -> set[str]:
    return {name for p in cli.commands[command].params for name in p.opts}


def accepts(hint: Any, value: object) -> bool:
    """Whether a value of this type fits the type hint `hint`."""
    kinds = [k for part in typing.get_args(hint) or (hint,) for k in [typing.get_origin(part) or part]]
    return isinstance(value, tuple(kinds))


@pytest.mark.parametrize(("words", "front"), [(Words, False), (FrontWords, True)])
def test_type_checkers_and_the_program_know_the_same_options(words: Any, front: bool) -> None:
    hints = typing.get_type_hints(words)
    assert set(hints) == {option.word for option in taken(front=front)}
    for option in taken(front=front):
        assert accepts(hints[option.word], option.default), option.word


def test_every_option_has_a_help_and_a_default_that_it_takes() -> None:
    for option in declared():
        assert option.about.help.endswith(".")
        assert option.default_text
        chosen = getattr(Options(**{option.field: option.default}), option.field)
        assert chosen == {"max_slowdown": DEFAULT_SLOWDOWN, "kernels": "reference"}.get(option.word, option.default)


def test_the_slowdown_that_is_allowed_by_default_depends_on_the_input() -> None:
    assert Options().max_slowdown == DEFAULT_SLOWDOWN == 1.05
    assert Options(stream_input=1).max_slowdown == STREAMED_SLOWDOWN < DEFAULT_SLOWDOWN
    assert Options(stream_input=1, max_slowdown=1.2).max_slowdown == 1.2


def test_commands_and_functions_have_all_options() -> None:
    assert {option.flag for option in taken(front=False)} <= flags("optimize")
    assert {option.flag for option in taken(front=True)} <= flags("pareto")
    assert "--max-arena" not in flags("pareto")
    for function, front in ((tflm_split.optimize, False), (tflm_split.pareto, True)):
        parameters = inspect.signature(function).parameters
        assert {option.word for option in taken(front=front)} <= set(parameters)
        assert parameters["max_slowdown"].default == (2.0 if front else 1.05)
        assert all(f"{option.word}: {option.about.help}" in (function.__doc__ or "") for option in taken(front=front))


def test_a_word_says_the_same_in_python_and_in_a_command() -> None:
    said: dict[str, Any] = {}

    @click.command()
    @takes_options()
    def command(**options: Any) -> None:
        said.update(options)

    arguments = ["--max-arena", "64KB", "--effort", "high", "--axes", "rows,channels", "--max-slowdown", "1.2"]
    command.main([*arguments, "--no-verify", "--inputs", "3"], standalone_mode=False)
    words = {"max_arena": "64KB", "effort": "high", "axes": ["channels", "rows"], "max_slowdown": 1.2}
    assert options_from(said) == options_from({**words, "verify": False, "inputs": 3})
    assert options_from(said).max_arena_bytes == 65_536


def test_what_is_not_said_is_at_its_default() -> None:
    assert options_from({}) == options_from({option.word: None for option in declared()}) == Options()
    assert options_from({}, front=True) == Options(max_slowdown=2.0)


def test_the_record_holds_every_option() -> None:
    asked = tflm_split.optimize(small_network(), effort="low", axes="rows", verify=False).report["options"]
    assert set(asked) == {option.field for option in declared()}
    assert (asked["effort"], asked["axes"], asked["verify"], asked["board"]) == (100, ["rows"], False, "m7")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"inputs": 0}, "inputs is 0, needs a whole number from 1 on, or a .npz file with inputs"),
        ({"seed": "7"}, "seed is '7', needs a whole number from 0 on"),
        ({"verify": "no"}, "verify is 'no', needs True or False"),
        ({"max_slowdown": 0.5}, "max_slowdown is 0.5, needs a number from 1 on"),
        ({"max_slowdown": float("inf")}, "max_slowdown is inf, needs a number from 1 on"),
        ({"effort": "fast"}, "the effort is 'fast', needs one of low, default, high, max, or a number"),
        (
            {"max_arena": "4Q"},
            "'4Q' is not a memory size; 65536, 64K, 64KB and 64KiB are the same (K = 1024), and 1.5K is 1536",
        ),
        (
            {"board": "esp32"},
            f"there are no instruction counts for a board 'esp32'; there are for: {', '.join(measured_boards())}",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(words: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as refused:
        options_from(words)
    assert str(refused.value) == complaint


def test_a_word_that_is_no_option_is_refused() -> None:
    unknown: Any = {"speed": 3}
    with pytest.raises(TypeError, match="there is no option 'speed', only int8_io, stream_input"):
        tflm_split.optimize(small_network(), **unknown)
    with pytest.raises(TypeError, match="no option 'max_arena'"):
        options_from({"max_arena": 5}, front=True)


def test_users_are_type_checked(tmp_path: Path) -> None:
    script = tmp_path / "user.py"
    script.write_text(
        "import tflm_split\n"
        "first: tflm_split.Result = tflm_split.optimize('m', effort='high', axes=['rows'], max_arena='64KB')\n"
        "front: tuple[tflm_split.Result, ...] = tflm_split.optimize('m', pareto=True, max_slowdown=1.5)\n"
        "tflm_split.optimize('m', inputs=8.5)\n"
        "tflm_split.pareto('m', max_arena=3)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-version=3.10", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    wrong = [line.split(":")[1] for line in done.stdout.splitlines() if "error:" in line]
    assert wrong == ["4", "5"], done.stdout


def rendered_docs() -> Iterable[tuple[Path, str]]:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import write_docs
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    return list(write_docs.rendered())


def test_what_is_generated_is_fresh() -> None:
    for path, text in rendered_docs():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python scripts/write_docs.py"
