"""A model's inputs and outputs as arrays in `.npy` files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph
from tflm_split.verify.compare import NUMPY_DTYPES

Array = NDArray[Any]


def load_inputs(graph: Graph, paths: Sequence[Path]) -> tuple[Array, ...]:
    """One array per input of the model, read from `.npy` files in order.

    Raises InputError when a file cannot be read, or when its array does not have exactly the input's shape and type.
    """
    if len(paths) != len(graph.inputs):
        raise InputError(f"the model has {len(graph.inputs)} inputs, but {len(paths)} files are given")
    return tuple(_load(graph, k, path) for k, path in enumerate(paths))


def output_arrays(graph: Graph, outputs: Sequence[bytes]) -> tuple[Array, ...]:
    """TFLM's bytes for each output, as arrays of the outputs' shapes and types.

    Raises InputError for an output whose type numpy does not have.
    """
    arrays: list[Array] = []
    for t, data in zip(graph.outputs, outputs, strict=True):
        tensor = graph.tensors[t]
        if tensor.dtype not in NUMPY_DTYPES:
            raise InputError(f"output {tensor.name!r} is {tensor.dtype}, which a .npy file cannot hold")
        arrays.append(np.frombuffer(data, NUMPY_DTYPES[tensor.dtype]).reshape(tensor.shape))
    return tuple(arrays)


def array_bytes(array: Array) -> bytes:
    """The bytes of a `.npy` file with this array."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _load(graph: Graph, position: int, path: Path) -> Array:
    tensor = graph.tensors[graph.inputs[position]]
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is not a .npy array"
        raise InputError(f"{path}: cannot be read: {reason}") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: holds several arrays; give a .npy file with one")
    wanted = NUMPY_DTYPES.get(tensor.dtype)
    if wanted is None or array.dtype != wanted or array.shape != tensor.shape:
        raise InputError(
            f"{path}: is {array.dtype} {list(array.shape)}, but input {position} {tensor.name!r} takes "
            f"{tensor.dtype.lower()} {list(tensor.shape)}"
        )
    return array
