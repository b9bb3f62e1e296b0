"""`tflm-split export`: a model as C sources. It parses, calls and prints; `tflm_split/cli.py` registers it."""

from __future__ import annotations

from pathlib import Path

import click

from tflm_split.export import FORMATS
from tflm_split.terminal.output import say


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder to write to.")
@click.option(
    "--format", "array_format", type=click.Choice(FORMATS), default="c", show_default=True,
    help="The array as .c and .h, or as one file like that of xxd -i.",
)  # fmt: skip
@click.option("--name", default="model", show_default=True, help="What the files and symbols begin with.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def export(model: Path, output: Path, array_format: str, name: str, force: bool) -> int:
    """Write MODEL as C sources: an aligned array for TFLM and, if it is one region, sources that need no TFLM."""
    from tflm_split.export.files import exported, write_export
    from tflm_split.program.decode import decode
    from tflm_split.program.in_model import programs_of
    from tflm_split.tflite.reader import read_model

    read = read_model(model)
    sources = exported(read, model.name, array_format, name)
    for path in write_export(sources, output, force=force, input_path=model):
        say(f"{path}: {path.stat().st_size:,} bytes")
    mask = 0
    for blob in programs_of(read).values():
        mask |= decode(blob).kinds_mask
    if mask:
        say(f"Kinds of steps used, for a build that leaves out the others: -DSPLIT_NN_KINDS={mask:#x}")
    if sources.no_standalone is not None:
        say(f"No sources without TFLM: {sources.no_standalone}.")
    return 0
