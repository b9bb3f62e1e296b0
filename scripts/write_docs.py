"""What documents say that the program knows: the table of options in docs/commands.md, the table of eight models in README.md,
the JSON schemas of all records in docs/.

`python scripts/write_docs.py [--check]`. With `--check` nothing is written; the exit code is 1 when a file is stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from bench_memory import BENCHMARKS, ROOT, updated

from tflm_split.options import declared
from tflm_split.report.json_schema import schemas
from tflm_split.report.table import markdown_table

README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "commands.md"
EIGHT = {
    "person_detect": "person detection, 96 x 96",
    "mlperf_vww96_int8": "MLPerf Tiny, visual wake words",
    "mlperf_kws_int8": "MLPerf Tiny, keyword spotting",
    "mlperf_resnet8_int8": "MLPerf Tiny, image classification",
    "mcunet_vww1_tinyts": "MCUNet, visual wake words",
    "seeed_fomo_mbv2_035": "FOMO, object detection",
    "kws_micronet_l": "MicroNet, keyword spotting",
    "gen_bert_tiny": "a small transformer",
}
"""The models of the README's table, and what they are."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is stale")
    arguments = parser.parse_args()
    stale = [(path, text) for path, text in rendered() if not path.is_file() or path.read_text("utf-8") != text]
    for path, text in stale:
        print(f"{path}: {'is stale' if arguments.check else 'written'}", file=sys.stderr)
        if not arguments.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    return 1 if arguments.check and stale else 0


def rendered() -> Iterator[tuple[Path, str]]:
    """Every generated file with the text it should have."""
    for path, tables in ((COMMANDS, {"options": options_table()}), (README, {"eight": short_table()})):
        yield path, updated(path.read_text("utf-8"), tables)
    for name, schema in schemas().items():
        yield ROOT / "docs" / f"{name}.schema.json", json.dumps(schema, indent=2) + "\n"


def short_table() -> str:
    """What `docs/benchmarks.md` says of the eight models of the README, in fewer columns."""
    table = BENCHMARKS.read_text("utf-8").split("<!-- bench corpus -->\n")[1].split("<!-- end -->")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    measured = {cells[0]: cells for cells in lines}
    titles = measured["model"]
    shown = ["head before", "head after", "Cortex-M before", "Cortex-M after", "ratio"]
    columns = [titles.index(title) for title in shown]
    rows = [[what, *(measured[name][k] for k in columns)] for name, what in EIGHT.items()]
    return markdown_table(["model", *shown], rows)


def options_table() -> str:
    """A row per option."""
    rows = []
    for option in declared():
        default = option.default_text
        if option.about.front_default is not None:
            default += f" ({option.about.front_default} in a front)"
        commands = "optimize, pareto" if option.about.in_front else "optimize"
        cells = [f"`{option.word}`", f"`{option.flag}`", option.about.help, option.about.kind.range or "yes or no"]
        rows.append([*cells, option.about.unit, default, commands])
    return markdown_table(["in Python", "command line", "what it does", "values", "unit", "default", "commands"], rows)


if __name__ == "__main__":
    sys.exit(main())
