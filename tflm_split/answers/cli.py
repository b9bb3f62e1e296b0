"""`tflm-split fit` and `tflm-split why`: they parse, call and print. `tflm_split/cli.py` registers them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tflm_split.options import options_from
from tflm_split.terminal.options import takes_options
from tflm_split.terminal.output import say
from tflm_split.terminal.progress import progress_bar

LIMIT_NOT_MET = 1
_MODEL = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.command()
@click.argument("models", type=_MODEL, nargs=-1, required=True, metavar="MODEL...")
@click.option("--arena", "max_arena", metavar="SIZE", help="The arena the device has, for each model in turn.")
@click.option("--stock-only", is_flag=True, help="Do not split: only the arena of the files as they are.")
@takes_options("kernels", "board", "effort")
@_JSON
def fit(models: tuple[Path, ...], max_arena: str | None, stock_only: bool, as_json: bool, **options: Any) -> int:
    """The arena that each MODEL needs, stock and split, and all together if they share one.

    Exit code 0: every model fits the arena, stock or split; 1: one does not, or it is not known.
    """
    from tflm_split.answers.fit import fit as answer
    from tflm_split.answers.fit import fit_text, splitter

    chosen = replace(options_from({"max_arena": max_arena, **options}), verify=False)
    with progress_bar() as progress:
        split = None if stock_only else splitter(replace(chosen, max_arena_bytes=None), progress)
        record = answer(models, chosen, split)
    say(_json(record) if as_json else fit_text(record), nl=False)
    return 0 if record["met"] else LIMIT_NOT_MET


@click.command()
@click.argument("model", type=_MODEL)
@click.option("--arena", "max_arena", metavar="SIZE", help="The arena the device has.")
@takes_options("int8_io", "stream_input", "max_slowdown", "kernels", "board", "effort")
@_JSON
def why(model: Path, max_arena: str | None, as_json: bool, **options: Any) -> int:
    """What keeps the arena of MODEL, split, as large as it is, and by how much which option would lower it.

    Every option is applied before it is named. Exit code 0: the model fits the arena; 1: it does not.
    """
    from tflm_split.answers.why import why as answer
    from tflm_split.answers.why import why_text

    with progress_bar() as progress:
        record = answer(model, options_from({"max_arena": max_arena, **options}), progress)
    say(_json(record) if as_json else why_text(record), nl=False)
    return LIMIT_NOT_MET if record["fits"] is False else 0


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
