"""Make `.tflite` models need a fraction of the memory in TensorFlow Lite Micro, with the same output bytes.

    import tflm_split
    result = tflm_split.optimize("model.tflite")
    result.save("model_split.tflite")
    print(result)

The compiler is imported on first use, because the package's build and its TFLM worker need only parts of it.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from tflm_split import errors
from tflm_split.options import documented, options_from
from tflm_split.plan.progress import quiet

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tflm_split.options import FrontWords, Words
    from tflm_split.plan.progress import Progress
    from tflm_split.report.inspected import Inspection
    from tflm_split.report.result import Front, Result
    from tflm_split.search.decision_file import SavedDecision
    from tflm_split.verify import tflm

__version__ = "0.1.0"
__all__ = [
    "Front",
    "Inspection",
    "Result",
    "SavedDecision",
    "__version__",
    "errors",
    "inspect",
    "optimize",
    "pareto",
    "runtime_path",
    "tflm",
]


@overload
def optimize(
    source: os.PathLike[str] | str | bytes,
    *,
    pareto: Literal[False] = False,
    progress: Progress | None = None,
    decision: SavedDecision | None = None,
    **options: Unpack[Words],
) -> Result: ...


@overload
def optimize(
    source: os.PathLike[str] | str | bytes,
    *,
    pareto: Literal[True],
    progress: Progress | None = None,
    **options: Unpack[FrontWords],
) -> Front: ...


def optimize(
    source: os.PathLike[str] | str | bytes,
    *,
    pareto: bool = False,
    progress: Progress | None = None,
    decision: SavedDecision | None = None,
    **options: Any,
) -> Result | Front:
    """The model at `source` (a path, or its bytes), split for the smallest arena. Nothing is written.

    `report["goal"]` says whether `max_arena` is met; missing it is an answer, not an error. `report["interface_changes"]`
    says how `int8_io` changed the interface. `progress` is called with (stage, done, total, best head in bytes); the last
    two are None while they are unknown. With `pareto` you get what the function `pareto` gives instead. With the `decision`
    of an earlier result, the model is made as it says, without a search.

    Raises subclasses of `errors.TflmSplitError`: InputError for a file or option that cannot be used, VerificationError
    when the result would not be the same.
    """
    from tflm_split import pipeline
    from tflm_split.search.decision_file import SavedDecision

    if pareto and options.pop("max_arena", None) is not None:
        raise errors.InputError(
            "max_arena asks for one result, pareto for all that are worth having: leave one of them out"
        )
    _check_types(source, progress)
    if decision is not None and not isinstance(decision, SavedDecision):
        raise errors.InputError(
            f"decision is a SavedDecision (result.decision, or SavedDecision.read(path)), not {type(decision).__name__}"
        )
    chosen = options_from(options, front=pareto)
    if not pareto:
        return pipeline.optimize(source, chosen, progress or quiet, decision)
    if decision is not None:
        raise errors.InputError("a decision is one result, pareto asks for all that are worth having")
    return pipeline.pareto(source, chosen, progress or quiet)


def pareto(
    source: os.PathLike[str] | str | bytes, *, progress: Progress | None = None, **options: Unpack[FrontWords]
) -> Front:
    """The Pareto front of memory against time: no result is beaten in both by another one. The fastest comes first.

    Each is verified like the result of `optimize`, with the same errors. Empty when nothing of the model can be split.
    """
    return optimize(source, pareto=True, progress=progress, **options)


def inspect(source: os.PathLike[str] | str | bytes, *, axes: bool = False, tensor: str | None = None) -> Inspection:
    """What is in the model at `source` (a path, or its bytes): operators, live bytes, what can be split and, if not, why.

    TFLM does not run. With `axes`, the record also says along which axes the largest tensor, or the one called `tensor`, can
    be cut. Raises InputError for what is no model.
    """
    from tflm_split.report.inspected import inspect

    _check_types(source, None)
    return inspect(source, axes=axes, tensor=tensor)


def _check_types(source: Any, progress: Any) -> None:
    """Refuse, in one sentence, what is no model and nothing to report progress to."""
    if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
        hint = "; pass its .read()" if hasattr(source, "read") else ""
        raise errors.InputError(f"a model is a path or its bytes, not {type(source).__name__}{hint}")
    if progress is not None and not callable(progress):
        raise errors.InputError(
            f"progress is {progress!r}, needs a function of (stage, done, total, best head in bytes)"
        )


def runtime_path() -> Path:
    """The folder with the C sources of the `TFLM_SPLIT` operator, as this installation has it.

    `tflm-split runtime` copies it for a firmware's build. Raises errors.ToolError if the installation lost it.
    """
    from tflm_split.native.sources import runtime_path

    return runtime_path()


documented(optimize)
documented(pareto, front=True)


def __getattr__(name: str) -> Any:
    if name == "tflm":
        return importlib.import_module("tflm_split.verify.tflm")
    if name in ("Front", "Result"):
        return getattr(importlib.import_module("tflm_split.report.result"), name)
    if name == "Inspection":
        return importlib.import_module("tflm_split.report.inspected").Inspection
    if name == "SavedDecision":
        return importlib.import_module("tflm_split.search.decision_file").SavedDecision
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, and nothing else."""
    return sorted(__all__)
