"""Does the optimised model do in TFLM what the original does? The inputs, the two runs and the verdict in one call."""

from __future__ import annotations

from tflm_split.ir.graph import Model
from tflm_split.verify.compare import Comparison, compare, test_inputs


def verify(model: Model, optimized: bytes, inputs: int, seed: int) -> Comparison:
    """Run `model` and `optimized` on the same `inputs` inputs, random and smooth ones in turn, in processes of their own.

    Raises UnrunnableError when TFLM cannot run `model` itself, TflmError when it cannot run `optimized`.
    """
    return compare(model.original, optimized, test_inputs(model.graph, inputs, seed))
