"""Real models, optimised once per session for all tests that use the same options."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from made_once import made_once

import tflm_split

Told = tuple[str, int, "int | None", "int | None"]
"""What `progress` is told: stage, steps done, of how many, the best head so far."""


def optimized(path: Path, **options: Any) -> tflm_split.Result:
    """`tflm_split.optimize(path, **options)`, read from the session's folder if another test has asked before."""
    return _made(path, options)[0]


def progress_of(path: Path, **options: Any) -> list[Told]:
    """All that `progress` was told when `optimized(path, **options)` was made."""
    return _made(path, options)[1]


def _made(path: Path, options: dict[str, Any]) -> tuple[tflm_split.Result, list[Told]]:
    def make(to: Path) -> None:
        told: list[Told] = []
        result = tflm_split.optimize(path, progress=lambda *step: told.append(step), **options)
        to.write_bytes(pickle.dumps((result, told)))

    words = [path.stem, *(f"{name}_{value}" for name, value in sorted(options.items()))]
    made: tuple[tflm_split.Result, list[Told]] = pickle.loads(made_once("-".join(words), make).read_bytes())
    return made
