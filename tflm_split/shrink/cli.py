"""`tflm-split shrink ...`: study and search. The commands parse, call and print. `tflm_split/cli.py` registers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tflm_split.sizes import SIZE_HELP
from tflm_split.terminal.options import takes_options
from tflm_split.terminal.output import say
from tflm_split.terminal.progress import progress_bar

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


@shrink.command()
@click.argument("script", type=_PATH)
@click.option("--max-arena", metavar="SIZE", required=True, help=f"The arena the device has: {SIZE_HELP}.")
@click.option("--trials", type=click.IntRange(min=1), default=40, show_default=True, help="How many, of all processes.")
@click.option(
    "--storage", required=True, metavar="URL|FILE",
    help="What processes share: sqlite:///study.db, another database, or a file study.journal.",
)  # fmt: skip
@click.option("--name", default="shrink", show_default=True, help="The study's name in the storage.")
@click.option("--seed", type=int, default=0, show_default=True, help="What knobs are drawn from.")
@takes_options("stream_input", "effort", "board")
@click.option("--json", "json_path", type=_PATH, help="Where to write the JSON record; - prints it instead of text.")
@click.option("--plot", "plot_path", type=_PATH, help="Where to draw accuracy against arena, as SVG.")
@click.option("--force", is_flag=True, help="Overwrite existing output files.")
def search(
    script: Path,
    max_arena: str,
    trials: int,
    storage: str,
    name: str,
    seed: int,
    json_path: Path | None,
    plot_path: Path | None,
    force: bool,
    **options: Any,
) -> int:
    """Try the networks of SCRIPT, which is run: it defines network(trial), data(trial) and fit(model, x, y, callbacks).

    Give several processes the same storage, and they share the work. What was interrupted is done again.
    """
    from tflm_split.shrink.picture import front_svg
    from tflm_split.shrink.search import load_script, open_study, search_record, search_text
    from tflm_split.shrink.search import search as run
    from tflm_split.sizes import parse_bytes
    from tflm_split.tflite.save import NewFile, check_writable, save_together

    to_stdout = json_path == Path("-")
    for path in (None if to_stdout else json_path, plot_path):
        if path is not None:
            check_writable(path, force=force, input_path=script)
    limit, loaded = parse_bytes(max_arena), load_script(script)
    found = open_study(storage, name, seed)
    with progress_bar() as progress:
        run(loaded, found, limit, trials, options, lambda done, total: progress("trials", done, total, None))
    record = search_record(found)
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    contents = ((None if to_stdout else json_path, text), (plot_path, front_svg(record) if plot_path else ""))
    save_together([NewFile(p, c.encode(), force) for p, c in contents if p is not None], input_path=script)
    say(text if to_stdout else search_text(record) + "\n", nl=False)
    return 0 if record["front"] else LIMIT_NOT_MET
