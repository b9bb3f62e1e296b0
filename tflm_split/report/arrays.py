"""A model's inputs and outputs as arrays in `.npy` and `.npz` files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Tensor
from tflm_split.sizes import counted
from tflm_split.verify.compare import NUMPY_DTYPES
from tflm_split.verify.evidence import Inputs, Made

Array = NDArray[Any]


def load_inputs(graph: Graph, paths: Sequence[Path]) -> tuple[Array, ...]:
    """One array per input of the model, read from `.npy` files in order.

    Raises InputError when a file cannot be read, or when its array does not have exactly the input's shape and type.
    """
    if len(paths) != len(graph.inputs):
        raise InputError(
            f"the model has {counted(len(graph.inputs), 'input')}, but {counted(len(paths), 'file')} "
            f"{'is' if len(paths) == 1 else 'are'} given"
        )
    return tuple(_load(graph, k, path) for k, path in enumerate(paths))


def inputs_of(graph: Graph, wanted: int | str, seed: int) -> Made | Inputs:
    """The inputs to verify on: so many made ones, or those of the `.npz` file that is named."""
    return Made(wanted, seed) if isinstance(wanted, int) else load_samples(graph, Path(wanted))


def load_samples(graph: Graph, path: Path) -> Inputs:
    """Inputs of the model from a `.npz` file with one array per input: [sample, *shape of the input], or one sample.

    An array is called as its input, or by the input's position: `0`, or `arr_0` as numpy does it. Raises InputError when the
    file cannot be read, or when its arrays do not fit the inputs.
    """
    arrays = _archive(path)
    samples = []
    for position, t in enumerate(graph.inputs):
        tensor = graph.tensors[t]
        names = [name for name in (tensor.name, str(position), f"arr_{position}") if name in arrays]
        if not names:
            raise InputError(
                f"{path}: has no array for input {position}; call it {tensor.name!r} or '{position}' (it has: "
                f"{', '.join(arrays) or 'none'})"
            )
        samples.append(_samples(f"{path}, array {names[0]!r}", tensor, position, arrays[names[0]]))
    counts = [len(of_input) for of_input in samples]
    if not counts or len(set(counts)) > 1 or not counts[0]:
        raise InputError(f"{path}: has {counts} samples for the model's inputs, needs the same number of each")
    return list(zip(*samples, strict=True))


def _archive(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            if isinstance(stored, np.ndarray):
                raise ValueError
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is not a .npz archive of arrays"
        raise InputError(f"{path}: cannot be read: {reason}; numpy.savez(path, name=array) writes one") from error


def _samples(where: str, tensor: Tensor, position: int, array: Array) -> list[Array]:
    wanted = NUMPY_DTYPES.get(tensor.dtype)
    if wanted is None or array.dtype != wanted or tensor.shape not in (array.shape, array.shape[1:]):
        raise InputError(
            f"{where}: is {array.dtype} {list(array.shape)}, but input {position} {tensor.name!r} takes "
            f"{tensor.dtype.lower()} [samples, {', '.join(map(str, tensor.shape))}]"
        )
    return [array] if array.shape == tensor.shape else list(array)


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
