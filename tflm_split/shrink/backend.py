"""Where do Keras and TensorFlow come from? The one door to both, because the rest of the package is free of them."""

from __future__ import annotations

import importlib
import os
from typing import Any

from tflm_split.errors import ToolError


def keras() -> Any:
    """The module `keras`, version 3, on TensorFlow. Raises ToolError where it is not installed, or runs on another backend."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, when TensorFlow is imported
    module = _imported("keras")
    version = str(getattr(module, "__version__", "0"))
    if not version.startswith("3."):
        raise ToolError(f"Keras {version} is installed, but shrinking needs Keras 3: pip install 'tflm-split[shrink]'")
    if module.backend.backend() != "tensorflow":
        raise ToolError(f"Keras runs on {module.backend.backend()}, but shrinking needs KERAS_BACKEND=tensorflow")
    return module


def tensorflow() -> Any:
    """The module `tensorflow`. Raises ToolError where it is not installed."""
    keras()
    return _imported("tensorflow")


def optuna() -> Any:
    """The module `optuna`. Raises ToolError where it is not installed."""
    return _imported("optuna")


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as fault:
        raise ToolError(f"shrinking needs {name}: pip install 'tflm-split[shrink]' ({fault})") from fault
