"""The arithmetic that float32 kinds share, one rounding at a time in the order of the format.

Every operation on arrays of float32 rounds once per element. In the families, loops over taps and channels set the order.
"""

from __future__ import annotations

import numpy as np

from tflm_split.verify.operands import Floats, Operands


def limited(step: Operands, values: Floats, low: str = "output_min", high: str = "output_max") -> Floats:
    """Within the op's limits. NaN passes, and so does the sign of a zero."""
    floor, ceiling = np.float32(step.params[low]), np.float32(step.params[high])
    raised = np.where(values < floor, floor, values)
    return np.where(ceiling < raised, ceiling, raised).astype(np.float32)
