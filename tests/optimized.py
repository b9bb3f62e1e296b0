"""Real models optimised once a session, for every test that asks the same of them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from made_once import made_once

import tflm_split


def optimized(path: Path, **options: Any) -> tflm_split.Result:
    """`tflm_split.optimize(path, **options)`, from the session's folder where another test has asked for it."""
    words = [path.stem, *(f"{name}_{value}" for name, value in sorted(options.items()))]
    made = made_once("-".join(words), lambda to: to.write_bytes(pickle.dumps(tflm_split.optimize(path, **options))))
    result: tflm_split.Result = pickle.loads(made.read_bytes())
    return result
