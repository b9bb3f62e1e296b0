"""How does an edited model become a file again, with everything this package does not model still in it?

The writer edits and packs a copy of the tree that the reader unpacked. The copy never leaves this file, `prune.py` and
`hidden_variables.py`. The result is read back and checked before anyone sees it.
"""

from __future__ import annotations

import copy
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np

from tflm_split.errors import InternalError, ModelError
from tflm_split.ir.graph import ABSENT, Model
from tflm_split.tflite import bounds, offline_plan, prune, schema
from tflm_split.tflite.edit import CustomOperator, Edit, Interface, NewOperator, NewTensor
from tflm_split.tflite.hidden_variables import move_hidden_variables
from tflm_split.tflite.reader import read_model

MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
"""The most bytes that an appended archive may unpack to. Label maps have a few kilobytes."""


def write_model(model: Model, edit: Edit) -> Model:
    """`model` with `edit` applied to its main graph, as read back from the written bytes.

    Other subgraphs, metadata, signatures, names, quantisation details and an appended zip archive survive. The same
    arguments always give the same bytes. Raises InternalError if the edit names something that does not exist, or if the
    result is not a sound model: both are mistakes of this package.
    """
    tree = schema.copied(model.tree)
    main = tree.subgraphs[0]
    if edit.new_tensors:
        main.tensors = [*(main.tensors or []), *(_tensor(tree, tensor) for tensor in edit.new_tensors)]
    for t, data in edit.constants.items():
        if not 0 <= t < len(model.graph.tensors) or len(data) != model.graph.tensors[t].bytes:
            raise InternalError(f"the edit makes tensor {t} a constant of {len(data)} bytes")
        main.tensors[t].buffer = _add_buffer(tree, data)
    if edit.operators is not None:
        _set_operators(tree, edit.operators)
    if edit.interface is not None:
        _set_interface(tree, edit.interface)
    if edit.shown:
        _check_tensors(main, edit.shown, "the edit's shown outputs")
        main.outputs = np.array([*main.outputs, *edit.shown], np.int32)
    named = {signature.subgraphIndex for signature in tree.signatureDefs or []}
    for number in sorted(edit.emptied - named):
        _empty(tree.subgraphs[number])
    _place(tree, edit, tensors_before=len(model.graph.tensors))
    data = schema.pack(tree, size_hint_bytes=len(model.original) + 65_536)
    return _read_back(model.name, _with_archive_of(model.original, data))


def _empty(subgraph: Any) -> None:
    """Leave a subgraph that nobody runs any more its number and its name."""
    subgraph.operators, subgraph.tensors = [], []
    subgraph.inputs = subgraph.outputs = np.array([], np.int32)


def _place(tree: Any, edit: Edit, tensors_before: int) -> None:
    """Drop what nobody names, then set the offline plan: it has one entry per tensor that is left."""
    main = tree.subgraphs[0]
    kept = {t: t for t in range(len(main.tensors or []))}
    if edit.drop_unused_tensors:
        kept = prune.drop_unused_tensors(tree)
        prune.drop_unused_operator_codes(tree)
    if edit.offsets is not None:
        count = tensors_before + len(edit.new_tensors)
        unknown = [t for t in edit.offsets if not 0 <= t < count]
        if unknown:
            raise InternalError(f"the edit's offline plan names tensor {unknown[0]}, but there are {count}")
        _set_offline_plan(tree, {kept[t]: offset for t, offset in edit.offsets.items() if t in kept})
    elif edit.operators is not None or edit.interface is not None or len(main.tensors or []) != tensors_before:
        _remove_offline_plan(tree)
    if edit.drop_unused_tensors:
        prune.drop_unused_buffers(tree)


def unaligned_vectors(model: Model) -> list[str]:
    """Names of the buffers and custom options of this file whose first byte is not 16-byte aligned."""
    tree = model.tree
    base = _address(np.frombuffer(model.original, np.uint8))
    vectors = {f"buffer {i}": buffer.data for i, buffer in enumerate(tree.buffers or [])}
    for g, graph in enumerate(tree.subgraphs or []):
        for k, op in enumerate(graph.operators or []):
            vectors[f"custom options of subgraph {g}, op {k}"] = op.customOptions
    return [
        name
        for name, vector in vectors.items()
        if vector is not None and vector.size and (_address(vector) - base) % schema.BUFFER_ALIGNMENT_BYTES
    ]


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _read_back(name: str, data: bytes) -> Model:
    """The written file, read again. Raises InternalError when it cannot be read, or when its data is not aligned.

    This checks the writer. Whatever is reported of the file from here on describes its bytes, not what the edit meant.
    """
    try:
        model = replace(read_model(data), name=name)
    except ModelError as error:
        raise InternalError(f"the written model cannot be read back: {error}") from error
    unaligned = unaligned_vectors(model)
    if unaligned:
        raise InternalError(f"the written model has data that is not 16-byte aligned: {unaligned[0]}")
    return model


def _tensor(tree: Any, tensor: NewTensor) -> Any:
    quantization = None
    if tensor.quantization is not None:
        quantization = schema.new(
            "QuantizationParametersT",
            scale=np.array(tensor.quantization.scales, np.float32),
            zeroPoint=np.array(tensor.quantization.zero_points, np.int64),
            quantizedDimension=tensor.quantization.axis,
        )
    return schema.new(
        "TensorT",
        shape=np.array(tensor.shape, np.int32),
        type=schema.enum_value("TensorType", tensor.dtype),
        buffer=0 if tensor.data is None else _add_buffer(tree, tensor.data),
        name=tensor.name.encode(),
        quantization=quantization,
    )


def _add_buffer(tree: Any, data: bytes) -> int:
    tree.buffers.append(schema.new("BufferT", data=np.frombuffer(data, np.uint8)))
    return len(tree.buffers) - 1


def _set_operators(tree: Any, operators: tuple[NewOperator, ...]) -> None:
    main = tree.subgraphs[0]
    originals = main.operators or []
    written = [_operator(tree, originals, operator) for operator in operators]
    for k, operator in enumerate(written):
        for vector in (operator.inputs, operator.outputs):
            _check_tensors(main, vector, f"operator {k} of the edit", absent_allowed=vector is operator.inputs)
    main.operators = written


def _operator(tree: Any, originals: list[Any], operator: NewOperator) -> Any:
    if isinstance(operator, CustomOperator):
        return schema.new(
            "OperatorT",
            opcodeIndex=_custom_code(tree, operator.custom_code.encode()),
            inputs=np.array(operator.inputs, np.int32),
            outputs=np.array(operator.outputs, np.int32),
            customOptions=np.frombuffer(operator.custom_options, np.uint8),
        )
    if not 0 <= operator.position < len(originals):
        raise InternalError(f"the edit keeps operator {operator.position} of {len(originals)}")
    kept = copy.copy(originals[operator.position])
    if operator.inputs is not None:
        kept.inputs = np.array(operator.inputs, np.int32)
    if operator.outputs is not None:
        kept.outputs = np.array(operator.outputs, np.int32)
    return kept


def _custom_code(tree: Any, custom_code: bytes) -> int:
    """The index of this custom operator's code, which is added if the file does not have it yet."""
    custom = schema.enum_value("BuiltinOperator", schema.CUSTOM)
    tree.operatorCodes = tree.operatorCodes or []
    for index, code in enumerate(tree.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == custom and code.customCode == custom_code:
            return index
    tree.operatorCodes.append(
        schema.new("OperatorCodeT", builtinCode=custom, deprecatedBuiltinCode=custom, customCode=custom_code)
    )
    return len(tree.operatorCodes) - 1


def _check_tensors(main: Any, vector: Any, where: str, *, absent_allowed: bool = False) -> None:
    count = len(main.tensors or [])
    for t in () if vector is None else vector:
        if not 0 <= t < count and not (absent_allowed and t == ABSENT):
            raise InternalError(f"{where} names tensor {t}, but there are {count}")


def _set_interface(tree: Any, interface: Interface) -> None:
    """Replace the main graph's inputs and outputs one for one, also in its signatures. More outputs may follow."""
    main = tree.subgraphs[0]
    signatures = [signature for signature in tree.signatureDefs or [] if signature.subgraphIndex == 0]
    for side, new in (("inputs", interface.inputs), ("outputs", interface.outputs)):
        vector = getattr(main, side)
        old = [] if vector is None else vector.tolist()
        if len(new) < len(old) or (side == "inputs" and len(new) > len(old)):
            raise InternalError(f"the edit has {len(new)} graph {side} where the model has {len(old)}")
        _check_tensors(main, new, f"the edit's graph {side}")
        exchanged = dict(zip(old, new, strict=False))
        for signature in signatures:
            for entry in getattr(signature, side) or []:
                entry.tensorIndex = exchanged.get(entry.tensorIndex, entry.tensorIndex)
        if vector is not None:
            setattr(main, side, np.array(new, np.int32))


def _set_offline_plan(tree: Any, offsets: Mapping[int, int]) -> None:
    """Replace any offline plan by one with these offsets of the main graph's tensors."""
    move_hidden_variables(tree, offsets)
    counts = [len(graph.tensors or []) for graph in tree.subgraphs]
    all_offsets = [offsets.get(t, offline_plan.ONLINE) for t in range(counts[0])]
    all_offsets += [offline_plan.ONLINE] * sum(counts[1:])
    _remove_offline_plan(tree)
    entry = schema.new(
        "MetadataT",
        name=offline_plan.METADATA_NAME.encode(),
        buffer=_add_buffer(tree, offline_plan.pack(all_offsets, subgraphs=len(counts))),
    )
    tree.metadata = [*(tree.metadata or []), entry]


def _remove_offline_plan(tree: Any) -> None:
    name = offline_plan.METADATA_NAME.encode()
    if tree.metadata is not None:
        tree.metadata = [entry for entry in tree.metadata if entry.name != name]


def _with_archive_of(original: bytes, data: bytes) -> bytes:
    """`data`, followed by the zip archive behind the flatbuffer of `original`, if there is one (TFLite Metadata's labels).

    The archive is built again, because it stores offsets from the start of the file. Raises ModelError if it is damaged.
    """
    try:
        archive = zipfile.ZipFile(BytesIO(original))
    except zipfile.BadZipFile:  # the usual case
        return data
    members = archive.infolist()
    if not members or min(info.header_offset for info in members) < bounds.used_bytes(original):
        return data
    if sum(info.file_size for info in members) > MAX_ARCHIVE_BYTES:
        raise ModelError(f"carries an appended zip archive that unfolds to more than {MAX_ARCHIVE_BYTES} bytes")
    carrier = BytesIO(data)
    try:
        with zipfile.ZipFile(carrier, "a") as written:
            written.comment = archive.comment
            for info in members:
                written.writestr(info, archive.read(info))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error) as error:
        raise ModelError(f"carries an appended zip archive that cannot be read: {error}") from error
    return carrier.getvalue()
