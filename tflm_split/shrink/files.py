"""The files that a study starts from: a saved Keras model and calibration samples, both of them untrusted input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tflm_split.errors import InputError
from tflm_split.shrink.backend import keras


def load_keras(path: Path) -> Any:
    """The model in a .keras file. Raises InputError where there is none. Code in the file is not run (`safe_mode`)."""
    k = keras()
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return k.models.load_model(path, compile=False, safe_mode=True)
    except Exception as fault:  # a damaged file makes Keras raise anything
        raise InputError(
            f"{path}: Keras cannot load it: {(str(fault).splitlines() or [type(fault).__name__])[0]}"
        ) from fault


def load_calibration(path: Path) -> Any:
    """The array in a .npy file. Raises InputError where there is none."""
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError) as fault:
        raise InputError(f"{path}: is no .npy file: {fault}") from fault
