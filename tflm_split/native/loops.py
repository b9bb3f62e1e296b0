"""Access to the inner loops in C, if the host library is there. Each has a twin in Python that makes the same decisions."""

from __future__ import annotations

import ctypes
import warnings
from functools import cache
from typing import Any

import numpy.typing as npt

from tflm_split.native import LIBRARY_PATH

SLOW = (
    "the C runtime was not built for this machine, so that everything is computed in Python, to the same result but slowly; "
    "with a C compiler present, run: python -m tflm_split.native.build"
)

_LOOPS = (
    "tflm_split_best_cuts", "tflm_split_build_graph", "tflm_split_free_graph", "tflm_split_live", "tflm_split_stream",
    "tflm_split_cheapest_cut", "tflm_split_explore", "tflm_split_free_pairs", "tflm_split_improve",
    "tflm_split_list_pairs", "tflm_split_place",
    "tflm_split_rooms", "tflm_split_solve_epoch", "tflm_split_squeeze", "tflm_split_squeeze_room",
)  # fmt: skip

_POINTERS = ("tflm_split_build_graph",)
"""Those that return a pointer."""


@cache
def native() -> ctypes.CDLL | None:
    """The host library; None, with a warning the first time, if it is missing or lacks one of the loops."""
    try:
        library = ctypes.CDLL(str(LIBRARY_PATH))
        for name in _LOOPS:
            getattr(library, name).restype = ctypes.c_void_p if name in _POINTERS else ctypes.c_int64
    except (OSError, AttributeError):
        warnings.warn(SLOW, RuntimeWarning, stacklevel=2)
        return None
    return library


def pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    """The address of an array's data, to be passed to C."""
    return ctypes.c_void_p(array.ctypes.data)
