"""Which models fit on which parts? Writes `docs/fits.md` from what `tflm-split board fits` says of files.

`python scripts/bench_fits.py file.tflite ... [--int8-io NAME] [-o FILE]`. A name with `--int8-io` is split with that option.
"""

from __future__ import annotations

from pathlib import Path

import click

from tflm_split.board.fits import Fits, fits
from tflm_split.board.parts import PARTS
from tflm_split.errors import TflmSplitError
from tflm_split.report.table import markdown_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = """\
# Which models fit where

`tflm-split board fits model.tflite` links a split model for the core of each part, without TFLM: its RAM is the workspace and the
2 KB of stack that the firmware sets aside, its flash the whole image. For a stock model the arena that TFLM needs and the file
are counted, not TFLM itself, so "fits" is generous to it. Models that keep stock operators are counted like that when split,
too. What else a firmware has comes on top.

A cell says whether the model fits stock / split; **yes** where only the split one does. This page was written by
`scripts/bench_fits.py` from the models that [RESULTS.md](../RESULTS.md) is about.

"""


def cell(found: Fits, index: int) -> str:
    fit = found.on[index]
    stock = "-" if fit.stock is None else "yes" if fit.stock.fits(fit.part) else "no"
    split = "yes" if fit.split.fits(fit.part) else "no"
    return f"{stock} / **{split}**" if split == "yes" and stock == "no" else f"{stock} / {split}"


def row(found: Fits) -> list[str]:
    m3 = found.on[0]
    stock = "-" if m3.stock is None else f"{m3.stock.ram_bytes:,}"
    linked = "" if m3.split.linked else " (with TFLM)"
    cells = [cell(found, k) for k in range(len(PARTS))]
    return [found.model, stock, f"{m3.split.ram_bytes:,}", f"{m3.split.flash_bytes:,}{linked}", *cells]


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--int8-io", "int8_io", multiple=True, help="Names of models to split with --int8-io.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=ROOT / "docs" / "fits.md")
def main(models: tuple[Path, ...], int8_io: tuple[str, ...], output: Path) -> None:
    """Write the page for MODELS."""
    parts = [f"{part.name}, {part.ram_bytes // 1024} KB" for part in PARTS]
    header = ("model", "stock RAM", "split RAM", "split flash (Cortex-M3)", *parts)
    rows = []
    for path in models:
        try:
            rows.append(row(fits(path, int8_io=path.stem in int8_io)))
        except TflmSplitError as error:
            click.echo(f"{path.stem}: {error}", err=True)
            continue
        click.echo(" ".join(rows[-1]))
        output.write_text(PAGE + markdown_table(header, rows))


if __name__ == "__main__":
    main()
