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
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, overload

from tflm_split import errors
from tflm_split.sizes import parse_bytes

if TYPE_CHECKING:
    from tflm_split.pipeline import Options, Progress, Result
    from tflm_split.verify import tflm

__version__ = "0.1.0"
__all__ = ["Result", "__version__", "errors", "optimize", "pareto", "tflm"]

FRONT_SLOWDOWN = 2.0
"""How far a front goes, unless it is said."""


@overload
def optimize(
    source: os.PathLike[str] | str | bytes,
    *,
    pareto: Literal[False] = False,
    int8_io: bool = False,
    max_arena: int | str | None = None,
    verify: bool = True,
    inputs: int = 8,
    seed: int = 0,
    effort: int | str | None = None,
    board: str | None = None,
    max_slowdown: float | None = None,
    axes: str | Iterable[str] | None = None,
    progress: Progress | None = None,
) -> Result: ...


@overload
def optimize(
    source: os.PathLike[str] | str | bytes,
    *,
    pareto: Literal[True],
    int8_io: bool = False,
    verify: bool = True,
    inputs: int = 8,
    seed: int = 0,
    effort: int | str | None = None,
    board: str | None = None,
    max_slowdown: float | None = None,
    axes: str | Iterable[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Result, ...]: ...


def optimize(
    source: os.PathLike[str] | str | bytes,
    *,
    pareto: bool = False,
    int8_io: bool = False,
    max_arena: int | str | None = None,
    verify: bool = True,
    inputs: int = 8,
    seed: int = 0,
    effort: int | str | None = None,
    board: str | None = None,
    max_slowdown: float | None = None,
    axes: str | Iterable[str] | None = None,
    progress: Progress | None = None,
) -> Result | tuple[Result, ...]:
    """The model at `source` (a path, or its bytes), split for least arena; nothing is written.

    `int8_io` strips a float model's QUANTIZE and DEQUANTIZE: its interface changes, and `report["interface_changes"]`
    says how. `max_arena` (bytes, or `"64KB"`) is what the device has; `report["goal"]` says whether it is met, which is
    an answer, not an error. Verification runs both models in TFLM on `inputs` inputs made from `seed`. `effort` is how
    much the search may look at: `low`, `default`, `high`, `max`, or a number (`plan/effort.py`). `board` (a name of
    `tflm-split board`; m7 without) is the one that `report["latency"]` predicts instructions for; the result may take
    `max_slowdown` times those of rows alone (1.05 without; 1.0 is none, and only above 1.05 are multiply-accumulates
    done twice). `axes` are those that tensors may be cut along: `rows`, `channels` and `columns`, all of them by default
    (`split/axes/allowed.py`). With `max_arena`, the fastest result that fits is the one you get. `progress` is called with (stage,
    done, total). With `pareto` you get all of them that are worth having instead: what the function `pareto` gives.

    Raises subclasses of `errors.TflmSplitError`: InputError for what cannot be used, VerificationError when the result
    would not be the same.
    """
    from tflm_split import pipeline

    if pareto and max_arena is not None:
        raise errors.InputError(
            "max_arena asks for one result, pareto for all that are worth having: leave one of them out"
        )
    if pareto and max_slowdown is None:
        max_slowdown = FRONT_SLOWDOWN
    options = _options(
        int8_io=int8_io,
        max_arena=max_arena,
        verify=verify,
        inputs=inputs,
        seed=seed,
        effort=effort,
        board=board,
        max_slowdown=max_slowdown,
        axes=axes,
    )
    if pareto:
        return pipeline.pareto(source, options, progress or pipeline.quiet)
    return pipeline.optimize(source, options, progress or pipeline.quiet)


def pareto(
    source: os.PathLike[str] | str | bytes,
    *,
    int8_io: bool = False,
    verify: bool = True,
    inputs: int = 8,
    seed: int = 0,
    effort: int | str | None = None,
    board: str | None = None,
    max_slowdown: float | None = FRONT_SLOWDOWN,
    axes: str | Iterable[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Result, ...]:
    """What less memory costs in time: results none of which another beats in both, fastest first.

    Parameters and errors are those of `optimize`; with a `max_slowdown` above 1.05, multiply-accumulates may be done
    twice. Empty when nothing of the model can be split.
    """
    from tflm_split import pipeline

    options = _options(
        int8_io=int8_io,
        verify=verify,
        inputs=inputs,
        seed=seed,
        effort=effort,
        board=board,
        max_slowdown=max_slowdown,
        axes=axes,
    )
    return pipeline.pareto(source, options, progress or pipeline.quiet)


def _options(
    *,
    int8_io: bool,
    verify: bool,
    inputs: int,
    seed: int,
    effort: int | str | None,
    board: str | None,
    max_slowdown: float | None,
    axes: str | Iterable[str] | None,
    max_arena: int | str | None = None,
) -> Options:
    """What the user said, the rest at its defaults."""
    from tflm_split import pipeline
    from tflm_split.plan.effort import parse_effort
    from tflm_split.split.axes.allowed import parse_axes

    said = {
        "effort": None if effort is None else parse_effort(effort),
        "board": board,
        "max_slowdown": max_slowdown,
        "axes": None if axes is None else parse_axes(axes),
    }
    return pipeline.Options(
        int8_io=int8_io,
        max_arena_bytes=None if max_arena is None else parse_bytes(max_arena),
        verify=verify,
        inputs=inputs,
        seed=seed,
        **{name: value for name, value in said.items() if value is not None},  # type: ignore[arg-type]
    )


def __getattr__(name: str) -> Any:
    if name == "tflm":
        return importlib.import_module("tflm_split.verify.tflm")
    if name == "Result":
        return importlib.import_module("tflm_split.pipeline").Result
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
