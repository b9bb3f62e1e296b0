"""The package's own inner loops in C: where they are found, if they are. Each has a twin in Python that decides the same."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

LIBRARY = Path(__file__).resolve().parent / "_host" / "libtflm_split_host.so"
_LOOPS = ("tflm_split_cheapest_cut", "tflm_split_place", "tflm_split_squeeze")


@cache
def native() -> ctypes.CDLL | None:
    """The host library, if it is there and has these loops."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        for name in _LOOPS:
            getattr(library, name).restype = ctypes.c_int64
    except (OSError, AttributeError):
        return None
    return library


def pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    """An array's address, for C."""
    return ctypes.c_void_p(array.ctypes.data)
