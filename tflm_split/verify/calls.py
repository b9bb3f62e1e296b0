"""How is the input of an inference handed to a model that takes it a few rows at a time?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split.ir.graph import Tensor

FILLER = 0x55
"""What fills the rows of the last call that are no longer part of the picture. The model must not look at them."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Input `position` comes in `count` calls. Each byte's bits `flip` are inverted in what the application hands over."""

    position: int
    count: int
    flip: int = 0


ONE_CALL = Calls(0, 1)
"""A model that is not streamed."""


def in_calls(entry: Sequence[NDArray[Any]], tensors: Sequence[Tensor], calls: Calls) -> list[tuple[NDArray[Any], ...]]:
    """The inputs of each call. `entry` has one array per input, with all rows; `tensors` are those of the streamed model.

    Inputs that are not streamed are the same in each call.
    """
    if calls.count == 1:
        return [tuple(entry)]
    tensor = tensors[calls.position]
    data = np.frombuffer(np.ascontiguousarray(entry[calls.position]).tobytes(), np.uint8) ^ np.uint8(calls.flip)
    filled = np.full(tensor.bytes * calls.count, FILLER, np.uint8)
    filled[: len(data)] = data
    dtype = np.uint8 if tensor.dtype == "UINT8" else entry[calls.position].dtype
    return [
        tuple(rows.view(dtype).reshape(tensor.shape) if k == calls.position else a for k, a in enumerate(entry))
        for rows in np.split(filled, calls.count)
    ]
