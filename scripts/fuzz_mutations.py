"""How does a .tflite file get broken in ways that a parser alone would not stop?

`mutate` takes the object tree apart and changes what it means: indices, shapes, buffers, arity, quantisation, options,
order, subgraphs, metadata. What comes out is nearly always a well-formed flatbuffer with an ill-formed network in it;
now and then the bytes themselves are damaged too. Same bytes and same random numbers, same result.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np

from tflm_split.errors import TflmSplitError
from tflm_split.tflite import bounds, offline_plan, schema

NUMBERS = (
    *(-(2**31), -129, -128, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 127, 128, 255, 256, 1000),
    *(32767, 32768, 65535, 65536, 100_000, 2**24, 2**31 - 1),
)
LARGE_NUMBERS = (*NUMBERS, -(2**63), -(2**31) - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**64 - 1)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-30, 1e30, 3.4e38, float("inf"), float("-inf"), float("nan"))
TEXTS = (None, b"", b"x", b"\xff\xfe", b"\x00", b"a\nb", "größe".encode(), b"serving_default", b"n" * 300)
METADATA = (b"OfflineMemoryAllocation", b"COMPRESSION_METADATA", b"min_runtime_version")
PACK_ERRORS = (*bounds.BINDINGS_ERRORS, RecursionError, AssertionError)
"""What the bindings raise when a changed tree does not fit the format (a shape entry of 2^40, say)."""


def mutate(data: bytes, random: Random) -> bytes:
    """Another file, one to four changes away from `data`; where no change of the tree can be written, damaged bytes."""
    tree = _tree(data)
    if tree is None or random.random() < 0.08:
        return damage(data, random)
    for _ in range(5):
        changed = copy.deepcopy(tree)
        try:
            for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
                random.choice(_CHANGES)(changed, random)
            made = schema.pack(changed)
        except PACK_ERRORS:
            continue
        return damage(made, random) if random.random() < 0.04 else made
    return damage(data, random)


def damage(data: bytes, random: Random) -> bytes:
    """Bytes flipped, overwritten, cut off, moved or doubled."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        if not changed:
            return b"TFL3"
        at, length = random.randrange(len(changed)), random.choice((1, 2, 4, 8, 64))
        kind = random.randrange(6)
        if kind == 0:
            changed[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[at : at + 4] = struct.pack("<I", random.choice(NUMBERS) & 0xFFFFFFFF)
        elif kind == 2 and random.random() < 0.3:
            del changed[at:]
        elif kind == 3:
            del changed[at : at + length]
        elif kind == 4:
            other = random.randrange(len(changed))
            changed[at : at + length] = changed[other : other + length]
        else:
            changed[at:at] = changed[at : at + length]
    return bytes(changed)


def _tree(data: bytes) -> Any:
    """The object tree, its vectors writable; None for bytes that hold none."""
    try:
        if data[4:8] != schema.FILE_IDENTIFIER:
            return None
        bounds.used_bytes(data)
        return schema.unpack(data)
    except (TflmSplitError, *bounds.BINDINGS_ERRORS):
        return None


# Changes that know what they change. Each takes the tree and does nothing where the tree has no such thing.


def _graph(tree: Any, random: Random) -> Any:
    """Mostly the main graph."""
    graphs = tree.subgraphs or []
    if not graphs:
        raise ValueError("no graph")
    return graphs[0] if random.random() < 0.8 else random.choice(graphs)


def _operator(tree: Any, random: Random) -> Any:
    operators = _graph(tree, random).operators or []
    if not operators:
        raise ValueError("no operator")
    return random.choice(operators)


def _tensor(tree: Any, random: Random) -> Any:
    tensors = _graph(tree, random).tensors or []
    if not tensors:
        raise ValueError("no tensor")
    return random.choice(tensors)


def _index(count: int, random: Random) -> int:
    """Mostly one that exists."""
    return random.randrange(count) if count and random.random() < 0.85 else random.choice((-1, -2, count, 2**31 - 1))


def _reconnect(tree: Any, random: Random) -> None:
    """An operator reads or writes another tensor: duplicate producers, cycles, constant outputs, what is absent."""
    graph = _graph(tree, random)
    op = random.choice(graph.operators)
    name = random.choice(("inputs", "inputs", "outputs", "intermediates"))
    indices = [] if getattr(op, name) is None else list(getattr(op, name))
    to = _index(len(graph.tensors), random)
    if indices and random.random() < 0.8:
        indices[random.randrange(len(indices))] = to
    else:
        indices.insert(random.randint(0, len(indices)), to)
    setattr(op, name, np.array(indices, np.int32))


def _arity(tree: Any, random: Random) -> None:
    """Operands dropped, doubled or turned around."""
    op = _operator(tree, random)
    name = random.choice(("inputs", "inputs", "outputs"))
    indices = [] if getattr(op, name) is None else list(getattr(op, name))
    change = random.randrange(5)
    if change == 0:
        indices = []
    elif change == 1:
        indices = indices[:-1]
    elif change == 2:
        indices = indices * 2
    elif change == 3:
        indices.reverse()
    else:
        setattr(op, name, None)
        return
    setattr(op, name, np.array(indices, np.int32))


def _order(tree: Any, random: Random) -> None:
    """Operators swapped, moved, doubled or dropped."""
    graph = _graph(tree, random)
    operators = graph.operators
    a, b = (random.randrange(len(operators)) for _ in range(2))
    change = random.randrange(4)
    if change == 0:
        operators[a], operators[b] = operators[b], operators[a]
    elif change == 1:
        operators.insert(b, operators.pop(a))
    elif change == 2:
        operators.insert(b, copy.deepcopy(operators[a]))
    else:
        del operators[a]


def _interface(tree: Any, random: Random) -> None:
    """Other inputs or outputs of a graph: constants, inner tensors, the same one twice, none."""
    graph = _graph(tree, random)
    name = random.choice(("inputs", "outputs"))
    indices = [] if getattr(graph, name) is None else list(getattr(graph, name))
    change = random.randrange(3)
    if change == 0 and indices:
        indices[random.randrange(len(indices))] = _index(len(graph.tensors), random)
    elif change == 1:
        indices.append(random.choice(indices) if indices and random.random() < 0.5 else _index(9, random))
    else:
        indices = indices[1:]
    setattr(graph, name, np.array(indices, np.int32))


def _shape(tree: Any, random: Random) -> None:
    """Dimensions changed, added, dropped; zero, negative, absurd. Sometimes all tensors at once, so that they still fit."""
    graph = _graph(tree, random)
    tensors = graph.tensors if random.random() < 0.15 else [random.choice(graph.tensors)]
    axis, to, change = random.randrange(5), random.choice(NUMBERS), random.randrange(6)
    for tensor in tensors:
        shape = [] if tensor.shape is None else [int(d) for d in tensor.shape]
        if change <= 2 and shape:
            shape[axis % len(shape)] = to
        elif change == 3:
            shape.insert(min(axis, len(shape)), random.choice((1, 1, 2, to)))
        elif change == 4:
            shape = shape[:-1]
        else:
            random.shuffle(shape)
        tensor.shape = np.array(shape, np.int32)


def _type(tree: Any, random: Random) -> None:
    """Another type; sometimes for all tensors of one type."""
    graph = _graph(tree, random)
    old, to = random.choice(graph.tensors).type, random.randrange(24)
    same = [tensor for tensor in graph.tensors if tensor.type == old]
    for tensor in same if random.random() < 0.3 else [random.choice(same)]:
        tensor.type = to


def _flags(tree: Any, random: Random) -> None:
    tensor = _tensor(tree, random)
    name = random.choice(("isVariable", "isVariable", "hasRank"))
    setattr(tensor, name, not getattr(tensor, name))


def _buffer(tree: Any, random: Random) -> None:
    """Buffers exchanged, emptied, lengthened, filled with something else, or said to lie elsewhere."""
    change = random.randrange(6)
    buffer = random.choice(tree.buffers)
    data = b"" if buffer.data is None else bytes(buffer.data)
    if change == 0:
        _tensor(tree, random).buffer = _index(len(tree.buffers), random) & 0xFFFFFFFF
    elif change == 1:
        buffer.data = random.choice((None, np.zeros(0, np.uint8)))
    elif change == 2:
        buffer.data = np.frombuffer(data + data[: random.choice((1, 4, 16))] + b"\0", np.uint8)
    elif change == 3:
        buffer.data = np.frombuffer(data[: len(data) // 2], np.uint8)
    elif change == 4:
        filler = random.choice((b"\x00", b"\xff", b"\x80", b"\x7f", random.randbytes(7)))
        buffer.data = np.frombuffer((filler * len(data))[: len(data)], np.uint8)
    else:
        buffer.offset, buffer.size = random.choice((0, 1, 2, 1 << 40)), random.choice((0, 4, 1 << 40))


def _constant_numbers(tree: Any, random: Random) -> None:
    """An int32 constant (axes, paddings, sizes, begins) with other numbers in it."""
    tensors = [t for t in _graph(tree, random).tensors if t.type == 2 and tree.buffers[t.buffer].data is not None]
    buffer = tree.buffers[random.choice(tensors).buffer]
    values = np.frombuffer(bytes(buffer.data[: len(buffer.data) // 4 * 4]), np.int32).copy()
    values[random.randrange(len(values))] = random.choice(NUMBERS)
    buffer.data = values.view(np.uint8)


def _quantization(tree: Any, random: Random) -> None:
    """Scales and zero points of other lengths and values, and another axis."""
    tensor = _tensor(tree, random)
    if tensor.quantization is None or random.random() < 0.1:
        tensor.quantization = random.choice((None, schema.new("QuantizationParametersT")))
        if tensor.quantization is None:
            return
    quantization, change = tensor.quantization, random.randrange(7)
    scales = [] if quantization.scale is None else list(quantization.scale)
    zero_points = [] if quantization.zeroPoint is None else list(quantization.zeroPoint)
    if change == 0 and scales:
        scales[random.randrange(len(scales))] = random.choice(FLOATS)
    elif change == 1:
        scales = random.choice(([], scales[:1], scales[:-1], [*scales, 0.5], scales * 3))
    elif change == 2 and zero_points:
        zero_points[random.randrange(len(zero_points))] = random.choice(LARGE_NUMBERS[:-1])
    elif change == 3:
        zero_points = random.choice(([], zero_points[:1], zero_points[:-1], [*zero_points, 1], zero_points * 3))
    elif change == 4:
        quantization.quantizedDimension = random.choice(NUMBERS)
    elif change == 5:
        tensor.quantization = copy.deepcopy(_tensor(tree, random).quantization)
        return
    else:
        kind = random.choice(("CustomQuantization", "BlockwiseQuantization"))
        quantization.detailsType = schema.enum_value("QuantizationDetails", kind)
        quantization.details = schema.new(f"{kind}T")
        return
    quantization.scale = np.array(scales, np.float32)
    quantization.zeroPoint = np.array(zero_points, np.int64)


def _options(tree: Any, random: Random) -> None:
    """A field of an operator's options: padding, strides, activation, axis, subgraph."""
    op = _operator(tree, random)
    table = op.builtinOptions or op.builtinOptions2
    if table is None or random.random() < 0.05:
        op.builtinOptions = None
        return
    names = [name for name, value in vars(table).items() if isinstance(value, (int, float))]
    name = random.choice(names)
    old = getattr(table, name)
    setattr(table, name, random.choice(FLOATS) if isinstance(old, float) else random.choice(NUMBERS))


def _kind(tree: Any, random: Random) -> None:
    """Operators become something else: another code of the file, any builtin, a custom operator, nothing known."""
    codes = tree.operatorCodes
    change = random.randrange(5)
    if change == 0:
        _operator(tree, random).opcodeIndex = _index(len(codes), random) & 0xFFFFFFFF
        return
    code = random.choice(codes)
    if change <= 2:
        number = random.choice((random.randrange(220), random.randrange(40), *map(_builtin, SPLIT_KINDS)))
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    elif change == 3:
        code.builtinCode, code.deprecatedBuiltinCode = 32, 32
        code.customCode = random.choice((b"TFLM_SPLIT", b"Nobody", *TEXTS))
    else:
        code.version = random.choice(NUMBERS)


SPLIT_KINDS = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "AVERAGE_POOL_2D", "MEAN", "ADD", "MUL", "SOFTMAX", "RESHAPE"),
    *("CONCATENATION", "PAD", "SLICE", "STRIDED_SLICE", "SPLIT", "TRANSPOSE_CONV", "RESIZE_NEAREST_NEIGHBOR", "SUM"),
    *("RESIZE_BILINEAR", "PACK", "UNPACK", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "PRELU", "MAXIMUM", "TRANSPOSE", "IF"),
    *("WHILE", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
)


def _builtin(name: str) -> int:
    return schema.enum_value("BuiltinOperator", name)


def _custom_options(tree: Any, random: Random) -> None:
    op = _operator(tree, random)
    old = b"" if op.customOptions is None else bytes(op.customOptions)
    op.customOptions = np.frombuffer(random.choice((damage(old, random), random.randbytes(60))), np.uint8)


def _metadata(tree: Any, random: Random) -> None:
    """An offline plan, true to the format or not; compressed weights; a metadata entry without a buffer."""
    count = sum(len(graph.tensors or []) for graph in tree.subgraphs)
    offsets = [random.choice((-1, -1, 0, 16, 5, 1 << 20, -(2**31), 2**31 - 1)) for _ in range(count)]
    words = [1, len(tree.subgraphs), count, *offsets]
    if random.random() < 0.4:
        words[random.randrange(len(words))] = random.choice(NUMBERS)
    payload = struct.pack(f"<{len(words)}i", *words)
    if random.random() < 0.2:
        payload = payload[: random.randrange(len(payload))]
    tree.buffers.append(schema.new("BufferT", data=np.frombuffer(payload, np.uint8)))
    name = random.choice((offline_plan.METADATA_NAME.encode(), *METADATA, *TEXTS))
    number = len(tree.buffers) - 1 if random.random() < 0.9 else random.choice((0, len(tree.buffers), 2**32 - 1))
    tree.metadata = [*(tree.metadata or []), schema.new("MetadataT", name=name, buffer=number)]


def _subgraphs(tree: Any, random: Random) -> None:
    """A graph doubled, dropped or moved; a signature of another graph."""
    change = random.randrange(4)
    graphs = tree.subgraphs
    if change == 0:
        graphs.append(copy.deepcopy(random.choice(graphs)))
    elif change == 1:
        del graphs[random.randrange(len(graphs))]
    elif change == 2:
        random.shuffle(graphs)
    else:
        entry = schema.new("TensorMapT", name=random.choice(TEXTS), tensorIndex=random.choice((0, 1, 2, 99)))
        signature = schema.new("SignatureDefT", signatureKey=random.choice(TEXTS), inputs=[entry], outputs=[entry])
        signature.subgraphIndex = random.choice((0, 0, 1, 7))
        tree.signatureDefs = [*(tree.signatureDefs or []), signature]


def _sparse(tree: Any, random: Random) -> None:
    _tensor(tree, random).sparsity = schema.new("SparsityParametersT")


# Changes that know nothing: any number, vector, text or table anywhere.


def _fields(table: Any) -> Iterator[tuple[Any, str, Any]]:
    for name, value in vars(table).items():
        yield table, name, value
        for child in value if isinstance(value, list) else [value]:
            if hasattr(child, "__dict__") and not isinstance(child, np.ndarray):
                yield from _fields(child)


def _anything(tree: Any, random: Random) -> None:
    """Any field of any table."""
    table, name, value = random.choice(list(_fields(tree)))
    if isinstance(value, bool):
        new: Any = not value
    elif isinstance(value, (int, np.integer)):
        new = random.choice((*LARGE_NUMBERS, int(value) + 1, int(value) - 1))
    elif isinstance(value, float):
        new = random.choice(FLOATS)
    elif isinstance(value, bytes):
        new = random.choice(TEXTS)
    elif isinstance(value, np.ndarray):
        new = _other_vector(value, random)
    elif isinstance(value, list):
        new = random.choice((None, [], value[1:], [*value, *value[:1]], value[::-1]))
    else:
        new = None
    setattr(table, name, new)


def _other_vector(value: Any, random: Random) -> Any:
    change = random.randrange(5)
    if change == 0 or not len(value):
        return None
    if change == 1:
        return value[:-1].copy()
    if change == 2:
        return np.concatenate([value, value[:1]])
    if change == 3:
        return value[::-1].copy()
    new = value.copy()
    with np.errstate(all="ignore"):
        new[random.randrange(len(new))] = np.array(random.choice(NUMBERS)).astype(value.dtype)
    return new


_CHANGES: tuple[Callable[[Any, Random], None], ...] = (
    *(_reconnect, _arity, _order, _interface, _shape, _shape, _type, _flags, _buffer, _constant_numbers),
    *(_quantization, _quantization, _options, _options, _kind, _custom_options, _metadata, _subgraphs, _sparse),
    *(_anything, _anything, _anything),
)
