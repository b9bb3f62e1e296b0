"""Bodies and leeways as the arrays that the loops in C read (`native/pairs.h`)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from tflm_split.plan.problem import Body, Leeway

Ints = npt.NDArray[np.int64]

_NAMES = (
    "first_span", "start", "stop", "offset", "bytes", "size", "align", "first_leeway", "read", "distance",
)  # fmt: skip


class NativeBodies(ctypes.Structure):
    """`bodies` of pairs.h."""

    _fields_ = [("count", ctypes.c_int64), *((name, ctypes.c_void_p) for name in _NAMES)]


class NativePairs(ctypes.Structure):
    """`pair_list` of pairs.h."""

    _fields_ = [
        ("first", ctypes.POINTER(ctypes.c_int64)),
        ("pairs", ctypes.POINTER(ctypes.c_int32)),
        ("count", ctypes.c_int64),
    ]


class BodyArrays:
    """`native` points to the arrays, which live as long as this object does."""

    def __init__(self, bodies: Sequence[Body], leeways: Sequence[Leeway] = ()) -> None:
        spans = [(s.start, s.stop, s.offset, s.bytes) for body in bodies for s in body.spans]
        table: Ints = np.array(spans, dtype=np.int64).reshape(-1, 4).T.copy()
        self.start, self.stop, self.offset, self.bytes = table
        self.first_span = _starts([len(body.spans) for body in bodies])
        self.size: Ints = np.array([b.bytes for b in bodies], dtype=np.int64)
        self.align: Ints = np.array([b.align for b in bodies], dtype=np.int64)
        of_written: list[list[Leeway]] = [[] for _ in bodies]
        for x in leeways:
            of_written[x.written].append(x)
        self.first_leeway = _starts([len(of_body) for of_body in of_written])
        self.read: Ints = np.array([x.read for of_body in of_written for x in of_body], dtype=np.int64)
        self.distance: Ints = np.array([x.distance_bytes for of_body in of_written for x in of_body], dtype=np.int64)
        self.native = NativeBodies(len(bodies), *(getattr(self, name).ctypes.data for name in _NAMES))


def _starts(counts: Sequence[int]) -> Ints:
    return np.array(list(accumulate(counts, initial=0)), dtype=np.int64)
