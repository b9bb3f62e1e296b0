"""What stands for a stock operator whose arithmetic we do not know? An arbitrary function of what it reads.

Original and optimised file hold the same operator, so any function will do: if what it reads is equal, what it gives is
equal, and if a plan damages what it reads, what it gives differs, too. Here it is random numbers, seeded by a hash of the
operator and of the bytes it reads. An operator that keeps state is a function of all that it ever read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from tflm_split.arithmetic.affine import QUANTIZED_DTYPES
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.verify.graph_oracle.evaluation import Array, dtype_of

_INDICES = (0, 999)


def keeps_state(op: Operator) -> bool:
    """Whether what it gives may depend on earlier inferences, as far as its kind says."""
    kinds = ("SVDF", "LSTM", "RNN", "IF", "WHILE")
    return op.kind.startswith("CUSTOM:") or any(kind in op.kind for kind in kinds)


def fingerprint(op: Operator, custom_options: bytes, read: Sequence[bytes], before: bytes) -> bytes:
    """A hash of the operator, of what it reads now and, with `before`, of what it has read."""
    said = hashlib.sha256(before)
    for part in (op.kind.encode(), repr(sorted(op.options.items())).encode(), custom_options, *read):
        said.update(len(part).to_bytes(8, "little") + part)
    return said.digest()


def made_up(graph: Graph, tensor: Tensor, seed: bytes) -> Array:
    """A value for `tensor` that follows from `seed` alone, and that what reads it can take.

    Integers that are not quantised are 0 where an operator reads them: they may be indices or shapes.
    """
    rng = np.random.default_rng(int.from_bytes(seed[:16], "little") + tensor.bytes)
    if tensor.dtype == "FLOAT32":
        return rng.uniform(-1.0, 1.0, tensor.shape).astype(np.float32)
    if tensor.dtype == "BOOL":
        return rng.integers(0, 2, tensor.shape).astype(np.bool_)
    if tensor.dtype in QUANTIZED_DTYPES:
        limits = np.iinfo(QUANTIZED_DTYPES[tensor.dtype])
        return rng.integers(limits.min, limits.max, tensor.shape, endpoint=True).astype(dtype_of(tensor))
    low, high = (0, 0) if tensor.index in graph.consumers() else _INDICES
    return rng.integers(low, high, tensor.shape, endpoint=True).astype(dtype_of(tensor))
