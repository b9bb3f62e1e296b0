"""Does a model give the same bytes for the same inputs again?"""

from __future__ import annotations

from tflm_split.verify.tflm import TflmRun


def is_repeatable(run: TflmRun) -> bool:
    """Did every pass over the inputs give the same bytes? (False for a model that keeps state.)"""
    count = len(run.outputs) // run.repeats
    first = run.outputs[:count]
    return all(run.outputs[k * count : (k + 1) * count] == first for k in range(run.repeats))
