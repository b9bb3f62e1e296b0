"""Co-design: a Keras network made narrower where its split memory peaks. Needs the extra `tflm-split[shrink]`.

    from tflm_split import shrink
    study = shrink.study(model, max_arena="16KB", calibration=x)
    pruner = study.pruner()
    model.fit(x, y, epochs=40, callbacks=[pruner])
    result = pruner.finish()

Everything is imported on first use, because the command line looks in here only for its commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tflm_split.shrink.studied import Study

__all__ = ["accuracy_in_tflm", "study"]


def study(model: Any, *, max_arena: int | str | None = None, calibration: Any, **words: Any) -> Study:
    """Where the memory of a Keras model peaks once it is split; see `shrink/studied.py`."""
    from tflm_split.shrink.studied import study

    return study(model, max_arena=max_arena, calibration=calibration, **words)


def accuracy_in_tflm(file: bytes, x: Any, labels: Any) -> float:
    """The share of samples that an int8 file classifies right when TFLM runs it; see `shrink/finished.py`."""
    from tflm_split.shrink.finished import accuracy_in_tflm

    return accuracy_in_tflm(file, x, labels)
