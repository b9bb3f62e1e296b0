"""What does it save to take the input row by row, and how often may rows come?

`python scripts/bench_stream.py [file.tflite ...] [--board m7] [--update]`; without files, those of `models/` and of the corpus
beside the repository whose input has rows. Every model is optimised twice and verified in TFLM: with its input whole, and
streamed one row at a time. Models that cannot be streamed are named with the reason. `--update` puts the table into
docs/benchmarks.md.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Any

import click
from bench_memory import BENCHMARKS, FOLDERS, updated

import tflm_split
from tflm_split.errors import TflmSplitError
from tflm_split.report.table import markdown_table

HEADER = (
    "model", "head before", "split", "streamed", "alive at least", "rows held", "instructions against split",
    "a row every (instructions)", "with a queue of 2", "4", "8", "after the last row",
)  # fmt: skip

BOTH, INT8, BOTH_AGAIN = "output streamed too", "`--int8-io`", "output streamed too, `--max-slowdown 1.2`"
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("", {}),
    (INT8, {"int8_io": True}),
    (BOTH, {"stream_output": True}),
    (BOTH_AGAIN, {"stream_output": True, "max_slowdown": 1.2}),
)
OTHER_WAYS = frozenset(
    {
        ("sil_rock_paper_scissors", INT8),
        ("mcunet_person_det", INT8),
        ("gen_unet_96", BOTH),
        ("gen_unet_96", BOTH_AGAIN),
    }
)
"""Models that are measured with other options, too: what they are compared with has the same ones, but an output in one piece."""


@click.command()
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option("--board", default="m7", show_default=True, help="The board to predict instructions for.")
@click.option("--update", is_flag=True, help="Put the table into docs/benchmarks.md.")
def main(models: tuple[Path, ...], board: str, update: bool) -> None:
    """Heads and line times of streamed models."""
    rows = []
    paths = models or tuple(path for folder in FOLDERS for path in sorted(folder.glob("*.tflite")))
    for path, (words, options) in product(paths, WAYS):
        if words and (path.stem, words) not in OTHER_WAYS:
            continue
        try:
            streamed = tflm_split.optimize(path, stream_input=True, board=board, **options).report
            whole = {k: v for k, v in options.items() if k != "stream_output"}
            name = f"{path.stem}, {words}" if words else path.stem
            rows.append(row(name, tflm_split.optimize(path, board=board, **whole).report, streamed))
            click.echo(" | ".join(rows[-1]), err=True)
        except TflmSplitError as error:
            click.echo(f"{path.stem}: {error}", err=True)
    table = markdown_table(HEADER, rows)
    click.echo(table, nl=False)
    if update:
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), {"stream": table}))


def row(name: str, whole: Any, streamed: Any) -> list[str]:
    """The cells of one model."""
    stream, latency = streamed["stream"], streamed["latency"]
    if stream is None:
        return [name, *(f"{whole[side]['planned_head_bytes']:,}" for side in ("original", "optimized")), *["-"] * 9]
    ratio = latency["predicted_instructions"] / whole["latency"]["predicted_instructions"]
    return [
        name,
        f"{whole['original']['planned_head_bytes']:,}",
        f"{whole['optimized']['planned_head_bytes']:,}",
        f"{streamed['optimized']['measured_head_bytes']:,}",
        f"{streamed['optimized']['lower_bound_bytes']:,}",
        f"{stream['rows_held']} of {stream['rows']}",
        f"{ratio:.3f}",
        *(f"{time['predicted_instructions']:,}" for time in stream["line_times"]),
        f"{stream['predicted_last_call_instructions']:,}",
    ]


if __name__ == "__main__":
    sys.exit(main())
