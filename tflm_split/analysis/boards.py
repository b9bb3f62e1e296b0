"""For which boards were instructions measured, and what are their cores? A file of its own, because the command line asks and
must start quickly."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tflm_split.errors import InputError

TABLE_PATH = Path(__file__).with_name("instructions.json")
DEFAULT_BOARD = "m7"
_ARM_COMPILER = "arm-none-eabi-"


@cache
def _compilers() -> dict[str, str]:
    """Board -> the compiler it was measured with, in the order of the table (`latency.py`)."""
    boards = json.loads(TABLE_PATH.read_text())["boards"]
    return {name: str(board["compiler"]) for name, board in boards.items()}


def measured_boards() -> tuple[str, ...]:
    """The boards of the table, in its order."""
    return tuple(_compilers())


def is_arm(board: str) -> bool:
    """Whether the board's core is an Arm; otherwise it is RISC-V. Raises InputError for boards that do not exist."""
    if board not in _compilers():
        raise InputError(f"there is no board {board!r}; there are: {', '.join(_compilers())}")
    return _compilers()[board].startswith(_ARM_COMPILER)


def core_of(board: str) -> str:
    """What the board's core is called where an arena is named for it."""
    return "Cortex-M" if is_arm(board) else "RISC-V core"
