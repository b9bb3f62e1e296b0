"""Which network does this file hold? Bytes -> `Model`, or one sentence that says why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tflm_split.errors import InputError, ModelError
from tflm_split.ir.graph import ABSENT, ELEMENT_BYTES, Graph, Model, Operator, Quantization, Tensor
from tflm_split.ir.printable import printable
from tflm_split.tflite import bounds, offline_plan, schema
from tflm_split.tflite.operands import check_operands
from tflm_split.tflite.options import read_options

MAX_FILE_BYTES = 2**31 - 1
"""The largest size of a flatbuffer."""
MAX_SUBGRAPHS = 256
"""The most subgraphs that are read. Models we know have up to ten."""
_COMPRESSION_METADATA = "COMPRESSION_METADATA"


def read_model(source: bytes | os.PathLike[str] | str) -> Model:
    """The model in this file, or in these bytes.

    `Model.graph` is subgraph 0, which TFLM runs. What is not modelled stays in `Model.original`.

    Raises InputError if the file cannot be read. Raises ModelError if its bytes are no model that TFLM could run: not
    TFL3, damaged, dynamic shapes, operators out of order, constants of the wrong length, data outside the flatbuffer,
    sparse or compressed weights.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read(bytes(source), "model", "the model")
    path = Path(source)
    return _read(_file_bytes(path), _text(os.fsencode(path.stem)), str(path))


def offline_offsets(model: Model) -> tuple[int, ...] | None:
    """The offline plan's byte offset per tensor of the main graph (-1: placed by TFLM), or None without a plan.

    Raises ModelError if the plan does not fit the file.
    """
    offsets = all_offsets(model)
    return None if offsets is None else offsets[: len(model.graph.tensors)]


def all_offsets(model: Model) -> tuple[int, ...] | None:
    """As `offline_offsets`, for the tensors of all subgraphs, one subgraph after the other."""
    if model.offline_plan is None:
        return None
    offsets = offline_plan.unpack(model.offline_plan)
    tensors = sum(len(graph.tensors) for graph in (model.graph, *model.other_graphs))
    if len(offsets) != tensors:
        raise ModelError(f"its offline plan has {len(offsets)} offsets for {tensors} tensors")
    return offsets


def _file_bytes(path: Path) -> bytes:
    """The bytes of a regular file. Raises InputError, with one sentence, whatever goes wrong."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path}: is a directory, not a model file")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise InputError(f"{path}: has {status.st_size} bytes, a model has at most {MAX_FILE_BYTES}")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"{path}: cannot be read: {reason or error}") from error


def _read(data: bytes, name: str, label: str) -> Model:
    try:
        if not data:
            raise ModelError("is empty")
        if data[4:8] != schema.FILE_IDENTIFIER:
            raise ModelError(
                f"is not a TensorFlow Lite model: its identifier is {data[4:8]!r}, not {schema.FILE_IDENTIFIER!r}"
            )
        bounds.used_bytes(data)
        return _model(schema.unpack(data), data, name)
    except ModelError as error:
        raise ModelError(f"{label}: {error}") from error
    except bounds.BINDINGS_ERRORS as error:
        raise ModelError(f"{label}: is damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class _File:
    """The unpacked tree, and its buffers as bytes, so that each is copied only once."""

    tree: Any
    buffers: tuple[bytes, ...]


def _model(tree: Any, data: bytes, name: str) -> Model:
    _check_tree(tree)
    file = _File(tree, tuple(_data(tree.buffers, i) for i in range(len(tree.buffers))))
    main = tree.subgraphs[0]
    return Model(
        name=name,
        graph=_graph(file, main),
        original=data,
        tree=tree,
        other_graphs=tuple(_other_graph(file, number) for number in range(1, len(tree.subgraphs))),
        custom_options=_custom_options(main),
        offline_plan=_offline_plan(tree),
        metadata=tuple(_text(entry.name) for entry in tree.metadata or []),
        signature_count=len(tree.signatureDefs or []),
        description=_text(tree.description),
    )


def _graph(file: _File, subgraph: Any) -> Graph:
    """One subgraph as a graph that could be the main one of a file."""
    graph = Graph(
        name=_text(subgraph.name),
        tensors=tuple(_tensor(file, i, tensor) for i, tensor in enumerate(subgraph.tensors or [])),
        operators=tuple(_operator(file, k, op) for k, op in enumerate(subgraph.operators or [])),
        inputs=_indices(subgraph.inputs),
        outputs=_indices(subgraph.outputs),
    ).checked()
    check_operands(graph)
    return graph


def _other_graph(file: _File, number: int) -> Graph:
    try:
        return _graph(file, file.tree.subgraphs[number])
    except ModelError as error:
        raise ModelError(f"subgraph {number}: {error}") from error


def _custom_options(subgraph: Any) -> dict[int, bytes]:
    operators = enumerate(subgraph.operators or [])
    return {k: op.customOptions.tobytes() for k, op in operators if op.customOptions is not None}


def _offline_plan(tree: Any) -> bytes | None:
    """The payload of the offline plan, or None. TFLM takes the last of several plans."""
    name = offline_plan.METADATA_NAME.encode()
    plans = [entry.buffer for entry in tree.metadata or [] if entry.name == name]
    return _data(tree.buffers, plans[-1]) if plans else None


def _check_tree(tree: Any) -> None:
    """Refuse a file with an index of something that does not exist, or with data outside the flatbuffer."""
    if tree.version != schema.SCHEMA_VERSION:
        raise ModelError(f"has schema version {tree.version}; TFLM runs version {schema.SCHEMA_VERSION}")
    if not tree.subgraphs:
        raise ModelError("holds no graph")
    if len(tree.subgraphs) > MAX_SUBGRAPHS:
        raise ModelError(f"holds {len(tree.subgraphs)} graphs; more than {MAX_SUBGRAPHS} are not read")
    if not tree.buffers:
        raise ModelError("holds no buffers")
    if len(_data(tree.buffers, 0)):
        raise ModelError("has data in buffer 0, which must be empty")
    if tree.externalBuffers or tree.externalBufferGroups:
        raise ModelError("keeps weights in external files, which TFLM cannot read")
    if any(buffer.offset or buffer.size for buffer in tree.buffers):
        raise ModelError("keeps weights outside the flatbuffer, which TFLM cannot read")
    for entry in tree.metadata or []:
        if _text(entry.name) == _COMPRESSION_METADATA:
            raise ModelError("has compressed weights; start from the model before compression")
        _check_index("metadata", entry.buffer, len(tree.buffers), "buffer")
    for buffer in _indices(tree.metadataBuffer):
        _check_index("metadata", buffer, len(tree.buffers), "buffer")
    for number, graph in enumerate(tree.subgraphs):
        _check_subgraph(tree, number, graph)
    for signature in tree.signatureDefs or []:
        where = f"signature {_text(signature.signatureKey)!r}"
        _check_index(where, signature.subgraphIndex, len(tree.subgraphs), "subgraph")
        tensors = tree.subgraphs[signature.subgraphIndex].tensors or []
        for entry in (signature.inputs or []) + (signature.outputs or []):
            _check_index(where, entry.tensorIndex, len(tensors), "tensor")


def _check_subgraph(tree: Any, number: int, graph: Any) -> None:
    where = f"subgraph {number}"
    tensors = graph.tensors or []
    for tensor in tensors:
        _check_index(where, tensor.buffer, len(tree.buffers), "buffer")
        if tensor.externalBuffer:
            raise ModelError(f"{where} keeps weights in external files, which TFLM cannot read")
    for t in _indices(graph.inputs) + _indices(graph.outputs):
        _check_index(f"the interface of {where}", t, len(tensors), "tensor")
    for k, op in enumerate(graph.operators or []):
        at = f"{where}, op {k}"
        _check_index(at, op.opcodeIndex, len(tree.operatorCodes or []), "operator code")
        if op.largeCustomOptionsOffset or op.largeCustomOptionsSize:
            raise ModelError(f"{at} keeps its options outside the flatbuffer, which TFLM cannot read")
        for t in _operator_tensors(op):
            if t != ABSENT:
                _check_index(at, t, len(tensors), "tensor")


def _operator_tensors(op: Any) -> Iterator[int]:
    for indices in (op.inputs, op.outputs, op.intermediates):
        yield from _indices(indices)


def _check_index(where: str, index: int, count: int, what: str) -> None:
    if not 0 <= index < count:
        raise ModelError(f"{where} names {what} {index}, but there are {count}")


def _tensor(file: _File, index: int, tensor: Any) -> Tensor:
    label = f"tensor {index} {_text(tensor.name)!r}"
    dtype = schema.enum_name("TensorType", tensor.type)
    if dtype is None:
        raise ModelError(f"{label} has the unknown type number {tensor.type}")
    if tensor.sparsity is not None:
        raise ModelError(f"{label} is sparse, which TFLM cannot run")
    shape = _indices(tensor.shape)
    data = file.buffers[tensor.buffer] or None
    if data is not None and dtype in ELEMENT_BYTES and all(d >= 0 for d in shape):
        expected_bytes = prod(shape) * ELEMENT_BYTES[dtype]
        if len(data) != expected_bytes:
            raise ModelError(
                f"{label} is a constant of {len(data)} bytes, but {dtype} {list(shape)} takes {expected_bytes}"
            )
    return Tensor(
        index=index,
        name=_text(tensor.name),
        shape=shape,
        dtype=dtype,
        quantization=_quantization(label, tensor.quantization),
        data=data,
        is_variable=bool(tensor.isVariable),
    )


def _quantization(label: str, quantization: Any) -> Quantization | None:
    """The quantisation that TFLM uses (InitializeTfLiteTensorFromFlatbuffer in micro_allocator.cc).

    Without scales or without zero points there is none. When there are not as many zero points as scales, the first one
    counts for all. Scales are float32 values.
    """
    if quantization is None:
        return None
    details = schema.enum_name("QuantizationDetails", quantization.detailsType)
    if details in ("BlockwiseQuantization", "MultiAxisQuantization"):
        raise ModelError(f"{label} has {details}, which TFLM cannot run")
    scales = () if quantization.scale is None else tuple(quantization.scale.astype(np.float64).tolist())
    zero_points = _indices(quantization.zeroPoint)
    if not scales or not zero_points:
        return None
    return Quantization(
        scales=scales,
        zero_points=zero_points if len(zero_points) == len(scales) else zero_points[:1] * len(scales),
        axis=int(quantization.quantizedDimension),
    )


def _operator(file: _File, position: int, op: Any) -> Operator:
    code = file.tree.operatorCodes[op.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = schema.enum_name("BuiltinOperator", number)
    if name is None:
        raise ModelError(f"op {position} has the unknown operator number {number}")
    return Operator(
        index=position,
        kind=f"{schema.CUSTOM}:{_text(code.customCode)}" if name == schema.CUSTOM else name,
        inputs=_indices(op.inputs),
        outputs=_indices(op.outputs),
        options=read_options(op),
        source=(position,),
    )


def _data(buffers: Any, index: int) -> bytes:
    data = buffers[index].data
    return b"" if data is None else bytes(data.tobytes())


def _indices(vector: Any) -> tuple[int, ...]:
    return () if vector is None else tuple(int(i) for i in vector)


def _text(value: bytes | None) -> str:
    """A text of the file, escaped so that it can be shown to people. All texts of a file come in through here."""
    return "" if value is None else printable(value.decode("utf-8", "replace"))
