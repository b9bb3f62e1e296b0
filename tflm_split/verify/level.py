"""How far was a result checked? The levels of verification, and how reports name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Level = Literal["tflm", "own_model", "own_model_in_part", "replay"]
"""`tflm`: both files ran in TFLM. `own_model`: against our own model of TFLM's arithmetic, operator by operator.
`own_model_in_part`: the same, but stock operators that our model does not know stood as arbitrary functions of what they read.
`replay`: our model does not know an operator that was split, so no values were compared; programs were replayed on abstract
memory, as always."""

LEVELS: tuple[Level, ...] = ("tflm", "own_model", "own_model_in_part", "replay")


def level_words(level: Level, tflm_version: str | None, assumed: Sequence[str], reason: str | None) -> str:
    """The level as the beginning of a sentence: `in TFLM 0.dev1`, `against ... , not in TFLM (...)`."""
    because = f" ({reason})" if reason else ""
    kinds = ", ".join(assumed)
    if level == "tflm":
        return f"in TFLM {tflm_version}"
    if level == "replay":
        return (
            f"by replay only, not in TFLM{because}: tflm_split's own model of TFLM's arithmetic does not know {kinds}"
        )
    own = f"against tflm_split's own model of TFLM's arithmetic, not in TFLM{because}"
    if level == "own_model":
        return own
    arbitrary = (
        "arbitrary functions of what they read" if len(assumed) > 1 else "an arbitrary function of what it reads"
    )
    return f"{own}, with {kinds} as {arbitrary}"
