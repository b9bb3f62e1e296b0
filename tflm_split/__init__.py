"""Int8 `.tflite` models that need a fraction of the memory in TensorFlow Lite Micro, and give the same bytes.

    import tflm_split
    result = tflm_split.optimize("model.tflite")
    result.save("model_split.tflite")
    print(result)

The compiler is imported when it is first used: the package's build and its TFLM worker need only parts of it.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from tflm_split import errors
from tflm_split.sizes import parse_bytes

if TYPE_CHECKING:
    from tflm_split import tflm
    from tflm_split.pipeline import Progress, Result

__version__ = "0.1.0"
__all__ = ["Result", "__version__", "errors", "optimize", "tflm"]


def optimize(
    source: os.PathLike[str] | str | bytes,
    *,
    int8_io: bool = False,
    max_arena: int | str | None = None,
    verify: bool = True,
    inputs: int = 8,
    seed: int = 0,
    effort: int | None = None,
    board: str | None = None,
    progress: Progress | None = None,
) -> Result:
    """The model at `source` (a path, or its bytes), split for least arena; nothing is written.

    `int8_io` strips a float model's QUANTIZE and DEQUANTIZE: its interface changes, and `report["interface_changes"]`
    says how. `max_arena` (bytes, or `"64KB"`) is what the device has; `report["goal"]` says whether it is met, which is
    an answer, not an error. Verification runs both models in TFLM on `inputs` inputs made from `seed`. `effort` is how
    many rounds the layout search may take. `board` (a name of `tflm-split board`; m7 without) is the one that
    `report["latency"]` predicts instructions for. `progress` is called with (stage, done, total).

    Raises subclasses of `errors.TflmSplitError`: InputError for what cannot be used, VerificationError when the result
    would not be the same.
    """
    from tflm_split import pipeline
    from tflm_split.analysis.latency import DEFAULT_BOARD
    from tflm_split.plan.portfolio import DEFAULT_EFFORT

    options = pipeline.Options(
        int8_io=int8_io,
        max_arena_bytes=None if max_arena is None else parse_bytes(max_arena),
        verify=verify,
        inputs=inputs,
        seed=seed,
        effort=DEFAULT_EFFORT if effort is None else effort,
        board=DEFAULT_BOARD if board is None else board,
    )
    return pipeline.optimize(source, options, progress or pipeline.quiet)


def __getattr__(name: str) -> Any:
    if name == "tflm":
        return importlib.import_module("tflm_split.tflm")
    if name == "Result":
        return importlib.import_module("tflm_split.pipeline").Result
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
