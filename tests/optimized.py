"""Real models, optimised once per session for all tests that use the same options."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from made_once import made_once

import tflm_split


def optimized(path: Path, **options: Any) -> tflm_split.Result:
    """`tflm_split.optimize(path, **options)`, read from the session's folder if another test has asked before."""
    words = [path.stem, *(f"{name}_{value}" for name, value in sorted(options.items()))]
    made = made_once("-".join(words), lambda to: to.write_bytes(pickle.dumps(tflm_split.optimize(path, **options))))
    result: tflm_split.Result = pickle.loads(made.read_bytes())
    return result
