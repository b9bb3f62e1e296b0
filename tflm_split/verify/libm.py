"""Functions of this machine's C library on arrays of float32: the very ones that TFLM's float kernels call.

numpy's own float32 functions round some last bits otherwise.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def has_library() -> bool:
    """Whether the C library's functions can be called here."""
    return _library() is not None


def call(name: str, values: Floats) -> Floats:
    """`expf`, `tanhf` or `expm1f` of each element. Where there is no C library to ask, numpy's float64 function, rounded."""
    library = _library()
    if library is None:
        exact: Callable[[Floats], Floats] = getattr(np, name.removesuffix("f"))
        with np.errstate(over="ignore"):
            return exact(values.astype(np.float64)).astype(np.float32)
    function = getattr(library, name)
    function.argtypes, function.restype = (ctypes.c_float,), ctypes.c_float
    found = [function(value) for value in values.reshape(-1).tolist()]
    return np.array(found, np.float32).reshape(values.shape)


@cache
def _library() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("m")
    try:
        library = None if name is None else ctypes.CDLL(name)
    except OSError:
        return None
    return library if library is not None and hasattr(library, "expf") and hasattr(library, "expm1f") else None


def logistic(x: Floats) -> Floats:
    """As TFLM's reference kernel (reference/logistic.h), with its cutoffs."""
    one = np.float32(1)
    with np.errstate(over="ignore"):
        between = one / (one + call("expf", -x))
    small = np.where(x < np.float32(-9), call("expf", x), between)
    return np.where(x > np.float32(16.619047164916992188), one, small).astype(np.float32)


def softmax(x: Floats, beta: float) -> Floats:
    """Over the last axis, as TFLM's reference kernel (reference/softmax.h): a sum in the order of channels."""
    largest = np.full(x.shape[:-1], np.finfo(np.float32).min, np.float32)
    for c in range(x.shape[-1]):
        largest = np.where(largest < x[..., c], x[..., c], largest)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        exps = call("expf", ((x - largest[..., None]) * np.float32(beta)).astype(np.float32))
        total = np.zeros(x.shape[:-1], np.float32)
        for c in range(x.shape[-1]):
            total = total + exps[..., c]
        divided: Floats = (exps / total[..., None]).astype(np.float32)
    return divided


def elu(x: Floats) -> Floats:
    """As TFLM's reference kernel (reference/elu.h)."""
    return np.where(x < 0, call("expm1f", x), x).astype(np.float32)


def hard_swish(x: Floats) -> Floats:
    """As TFLM's reference kernel (reference/hard_swish.h): nothing of the C library, three roundings."""
    three, six, zero = np.float32(3), np.float32(6), np.float32(0)
    with np.errstate(over="ignore", invalid="ignore"):
        raised = x + three
        part = np.where(zero < raised, raised, zero)
        found: Floats = (x * np.where(part < six, part, six) / six).astype(np.float32)
    return found
