"""For which boards were instructions measured? A file of its own, because the command line asks and must start quickly."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

TABLE_PATH = Path(__file__).with_name("instructions.json")
DEFAULT_BOARD = "m7"


@cache
def measured_boards() -> tuple[str, ...]:
    """The boards of the table (`latency.py`), in its order."""
    return tuple(json.loads(TABLE_PATH.read_text())["boards"])
