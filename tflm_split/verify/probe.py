"""Does another `tflite-micro` wheel than the pinned one do what verification needs?

The wheel's interface to custom operators is not a public one, and it has changed before. So a wheel that is not known runs
a tiny model, in a process of its own: a FULLY_CONNECTED whose results lie at rounding ties, where TFLM's sources differ,
and a `TFLM_SPLIT` operator that turns every byte around. It is accepted if the operator registers and every byte is right.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tflm_split.errors import TflmSplitError
from tflm_split.kinds import OpKind
from tflm_split.program.encode import encode
from tflm_split.program.types import Io, Op, Program, Step, Storage, View
from tflm_split.tflite import offline_plan, schema
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph_outputs
from tflm_split.verify.tflm import REGISTERER, run_in_tflm

_PIXELS = 256
_INPUT_SCALE, _WEIGHT_SCALE, _OUTPUT_SCALE = 2.8898532390594482, 0.031511880457401276, 0.037286337465047836
"""The product of the first two over the third is nearly half of an odd number: in float32 it rounds some sums the other way."""
_TIMEOUT_S = 60.0
_VALUES = np.arange(-128, 128).astype(np.int8).reshape(_PIXELS, 1)


@cache
def probe_fault(version: str) -> str | None:
    """What is wrong with the installed wheel, as the end of a sentence; None if it may be used. Asked once per version."""
    dense, whole = _model(split=False), _model(split=True)
    (wanted,) = run_graph_outputs(read_model(dense).graph, [_VALUES])
    try:
        run = run_in_tflm(whole, [[_VALUES]], timeout_s=_TIMEOUT_S, any_wheel=True)
    except TflmSplitError as error:
        return f"did not pass the probe: {error}"
    if run.outputs != (((~wanted).tobytes(),),):
        return "did not pass the probe: it computes other bytes than the pinned wheel"
    return None


def _program() -> bytes:
    """One input row of 256 bytes, one output row: every byte's complement."""
    row = Storage(_PIXELS, 1, (0,)), Storage(_PIXELS, 1, (_PIXELS,))
    views = tuple(View(storage, 0, 1, _PIXELS, 1, 1) for storage in (0, 1))
    table = bytes(255 - byte for byte in range(256))
    op = Op(OpKind.LUT, 1, 0, {"table_offset": 0})
    ios = Io(0, _PIXELS), Io(_PIXELS, _PIXELS)
    return encode(Program(2 * _PIXELS, ios[:1], ios[1:], row, views, (op,), (Step(0, 0),), (table,)))


def _model(split: bool) -> bytes:
    """FULLY_CONNECTED by one weight of 1, and then, if `split`, the program."""
    program = _program()
    buffers = [schema.new("BufferT"), _buffer(bytes([1])), _buffer(program)]
    tensors = [
        _tensor("input", (_PIXELS, 1), scale=_INPUT_SCALE),
        _tensor("weight", (1, 1), scale=_WEIGHT_SCALE, buffer=1),
        _tensor("dense", (_PIXELS, 1), scale=_OUTPUT_SCALE),
    ]
    dense = schema.enum_value("BuiltinOperator", "FULLY_CONNECTED")
    codes = [schema.new("OperatorCodeT", builtinCode=dense, deprecatedBuiltinCode=dense, version=4)]
    options = schema.enum_value("BuiltinOptions", "FullyConnectedOptions")
    operators = [
        schema.new(
            "OperatorT", opcodeIndex=0, inputs=[0, 1, -1], outputs=[2], builtinOptionsType=options,
            builtinOptions=schema.new("FullyConnectedOptionsT"),
        )
    ]  # fmt: skip
    metadata = []
    if split:
        tensors += [
            _tensor("program", (len(program),), buffer=2),
            _tensor("output", (_PIXELS, 1), scale=_OUTPUT_SCALE),
            _tensor("workspace", (2 * _PIXELS,)),
        ]
        custom = schema.enum_value("BuiltinOperator", "CUSTOM")
        codes.append(
            schema.new(
                "OperatorCodeT", builtinCode=custom, deprecatedBuiltinCode=custom, customCode=REGISTERER.encode()
            )
        )
        operators.append(schema.new("OperatorT", opcodeIndex=1, inputs=[2, 3], outputs=[4, 5]))
        buffers.append(_buffer(offline_plan.pack([2 * _PIXELS, -1, 0, -1, _PIXELS, 0])))
        metadata = [schema.new("MetadataT", name=offline_plan.METADATA_NAME.encode(), buffer=3)]
    graph = schema.new(
        "SubGraphT", tensors=tensors, operators=operators, inputs=[0], outputs=[4 if split else 2], name=b"main"
    )
    tree = schema.new(
        "ModelT", version=schema.SCHEMA_VERSION, operatorCodes=codes, subgraphs=[graph], buffers=buffers,
        metadata=metadata or None,
    )  # fmt: skip
    return schema.pack(tree)


def _buffer(data: bytes) -> Any:
    return schema.new("BufferT", data=np.frombuffer(data, np.uint8))


def _tensor(name: str, shape: tuple[int, ...], scale: float | None = None, buffer: int = 0) -> Any:
    quantization = schema.new("QuantizationParametersT", scale=[scale], zeroPoint=[0]) if scale else None
    int8 = schema.enum_value("TensorType", "INT8")
    return schema.new(
        "TensorT", name=name.encode(), shape=list(shape), type=int8, buffer=buffer, quantization=quantization
    )
