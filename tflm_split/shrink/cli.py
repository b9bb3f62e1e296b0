"""`tflm-split shrink ...`: study and search. The commands parse, call and print. `tflm_split/cli.py` registers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tflm_split.errors import InputError
from tflm_split.sizes import SIZE_HELP
from tflm_split.terminal.options import takes_options
from tflm_split.terminal.output import say

_PATH = click.Path(path_type=Path)
LIMIT_NOT_MET = 1


@click.group()
def shrink() -> None:
    """Make Keras networks narrower where their split memory peaks. Needs the extra tflm-split[shrink]."""


@shrink.command()
@click.argument("model", type=_PATH)
@click.option("--max-arena", metavar="SIZE", help=f"The arena the device has: {SIZE_HELP}.")
@click.option("--calibration", type=_PATH, required=True, help="A .npy file with samples, for the ranges of int8.")
@click.option("--multiple", type=click.IntRange(min=1), help="Widths stay multiples of this: 4, or 16 with Helium.")
@click.option("--no-resolution", is_flag=True, help="Do not look for the largest picture that fits.")
@takes_options("int8_io", "stream_input", "effort", "board", int8_io=False)
@click.option("--json", "json_path", type=_PATH, help="Where to write the JSON record; - prints it instead of text.")
@click.option("--force", is_flag=True, help="Overwrite an existing output file.")
def study(
    model: Path,
    max_arena: str | None,
    calibration: Path,
    multiple: int | None,
    no_resolution: bool,
    json_path: Path | None,
    force: bool,
    **options: Any,
) -> int:
    """Where the memory of MODEL (.keras) peaks once it is split, and what each channel there costs. Nothing is trained."""
    from tflm_split.shrink.files import load_calibration, load_keras
    from tflm_split.shrink.studied import study as run
    from tflm_split.tflite.save import check_writable, save

    to_stdout = json_path == Path("-")
    if json_path is not None and not to_stdout:
        check_writable(json_path, force=force, input_path=model)
    samples = load_calibration(calibration)
    found = run(
        load_keras(model),
        max_arena=max_arena,
        calibration=samples,
        multiple=multiple,
        resolution=not no_resolution,
        **options,
    )
    record = json.dumps(found.record(), indent=2, ensure_ascii=False) + "\n"
    if json_path is not None and not to_stdout:
        save(record.encode(), json_path, force=force, input_path=model)
    say(record if to_stdout else str(found) + "\n", nl=False)
    return LIMIT_NOT_MET if found.feasible is False else 0


def _storage(text: str) -> str:
    if "://" not in text and not text.endswith(".journal"):
        raise InputError(f"--storage {text}: give a database (sqlite:///study.db) or a journal file (study.journal)")
    return text
