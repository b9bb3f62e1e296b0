"""What documents say that the program knows: the table of options in README.md, the JSON schemas of all records in docs/.

`python scripts/write_docs.py [--check]`. With `--check` nothing is written; the exit code is 1 when a file is stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from bench_memory import README, ROOT, updated

from tflm_split.options import declared
from tflm_split.report.json_schema import schemas
from tflm_split.report.table import markdown_table


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
    yield README, updated(README.read_text("utf-8"), {"options": options_table()})
    for name, schema in schemas().items():
        yield ROOT / "docs" / f"{name}.schema.json", json.dumps(schema, indent=2) + "\n"


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
