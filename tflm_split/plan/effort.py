"""How much work does an effort stand for, and which words name one? Work is counted, never timed."""

from __future__ import annotations

from tflm_split.errors import InputError

EFFORTS = {"low": 100, "default": 1500, "high": 10_000, "max": 50_000}
DEFAULT_EFFORT = EFFORTS["default"]
EXACT_EFFORT = EFFORTS["high"]
"""From this effort on, the CP-SAT solver is used too (`exact.py`)."""
_MOST_DIGITS = 15
EFFORT_HELP = f"{', '.join(EFFORTS)}, or a number ({', '.join(f'{e:,}' for e in EFFORTS.values())})"


def parse_effort(effort: int | str) -> int:
    """The effort as a number. Raises InputError unless it is one of the words or a number from 0 on."""
    if isinstance(effort, str):
        if effort in EFFORTS:
            return EFFORTS[effort]
        if not effort.isascii() or not effort.isdigit() or len(effort) > _MOST_DIGITS:
            raise InputError(f"the effort is {effort!r}, needs one of {', '.join(EFFORTS)}, or a number")
        effort = int(effort)
    if effort < 0:
        raise InputError(f"the effort is {effort}, needs 0 or more")
    return effort
