"""Lays out one op by hand, runs it in the C executor and looks at the workspace afterwards.

A `Scene` gives every image (rows of pixels) addresses of its own in a workspace filled with noise. `run` checks that all
bytes outside the output are unchanged, so a kernel that writes one byte too many is noticed.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tflm_split import kinds
from tflm_split.errors import ProgramError
from tflm_split.kinds import OpKind
from tflm_split.native.build import host_library
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.types import Op, Program, Step, Storage, View

Array = NDArray[Any]

LAYOUTS = ("affine", "table16", "table32")
"""How the rows of an image lie: one after the other; backwards with gaps, 4-aligned; backwards at odd addresses."""


@functools.cache
def library() -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(host_library()), mode=ctypes.RTLD_GLOBAL)
    loaded.split_nn_prepare.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    loaded.split_nn_run.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    loaded.split_nn_run_with_state.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    loaded.split_nn_run_with_slow_memory.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    loaded.tflm_split_host_set_slow_memory.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    loaded.split_nn_slow_bytes.argtypes = (ctypes.c_void_p,)
    loaded.split_nn_start.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    loaded.split_nn_start.restype = None
    loaded.split_nn_calls.argtypes = (ctypes.c_void_p,)
    loaded.split_nn_begin.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    loaded.split_nn_continue.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    loaded.split_nn_status_text.restype = ctypes.c_char_p
    loaded.TFLM_SPLIT.restype = ctypes.c_bool
    loaded.tflm_split_host_error.restype = ctypes.c_char_p
    return loaded


def aligned(data: bytes, offset: int = 0) -> Array:
    """A copy of `data` that starts `offset` bytes after a 16-aligned address."""
    room = np.zeros(len(data) + 32, np.uint8)
    start = -room.ctypes.data % 16 + offset
    copy = room[start : start + len(data)]
    copy[:] = np.frombuffer(data, np.uint8)
    return copy


def prepare(blob: bytes, offset: int = 0) -> str:
    """The executor's answer to a blob: "ok", or why it refuses it."""
    program = aligned(blob, offset)
    status = library().split_nn_prepare(program.ctypes.data, len(blob))
    return str(library().split_nn_status_text(status).decode())


def verdicts(blob: bytes) -> tuple[str, str]:
    """What Python's check and the C prepare say. An empty text means that the program is accepted."""
    try:
        decode(blob)
        ours = ""
    except ProgramError as refusal:
        ours = str(refusal)
    theirs = prepare(blob)
    return ours, "" if theirs == "ok" else theirs


def execute(blob: bytes, workspace: bytes) -> bytes:
    """The workspace after the program has run on it. All calls of a streamed program find the same rows."""
    program, memory = aligned(blob), aligned(workspace)
    assert prepare(blob) == "ok"
    stream = Stream()
    library().split_nn_begin(program.ctypes.data, ctypes.byref(stream))
    for _ in range(library().split_nn_calls(program.ctypes.data)):
        assert library().split_nn_continue(program.ctypes.data, memory.ctypes.data, ctypes.byref(stream)) == 0
    return memory.tobytes()


class Stream(ctypes.Structure):
    """`split_stream`."""

    _fields_: ClassVar = [("call", ctypes.c_uint32), ("move", ctypes.c_uint32)]


@dataclass(frozen=True, slots=True)
class Image:
    """`view`, and the workspace offsets of its bytes, [rows, columns, channels * element_bytes]."""

    view: int
    places: Array
    dtype: str


@dataclass(slots=True)
class Scene:
    rng: np.random.Generator
    storages: list[Storage] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    constants: list[bytes] = field(default_factory=list)
    memory: bytearray = field(default_factory=bytearray)

    def image(
        self,
        shape: tuple[int, int, int],
        *,
        dtype: str = "int8",
        gap: int = 0,
        margin: int = 0,
        layout: str = "affine",
        first_row: int = 0,
    ) -> Image:
        """An image from row `first_row` on. Its pixels start `margin` elements into each row, with gaps of `gap` elements."""
        rows, columns, channels = shape
        element_bytes = np.dtype(dtype).itemsize
        stride, offset = (channels + gap) * element_bytes, margin * element_bytes
        row_bytes = offset + columns * stride + margin * element_bytes
        if element_bytes > 1 and layout == "table32":
            layout = "table16"
        start = len(self.memory) + -len(self.memory) % 4 + {"affine": 0, "table16": 0, "table32": 1}[layout]
        pitch = row_bytes if layout == "affine" else row_bytes + 4 - row_bytes % 4
        count = first_row + rows
        order = range(count) if layout == "affine" else range(count - 1, -1, -1)
        addresses = [start + k * pitch for k in order]
        self.memory.extend(self.rng.bytes(start + count * pitch + 4 - len(self.memory)))
        self.storages.append(Storage(row_bytes, count, tuple(addresses)))
        self.views.append(
            View(len(self.storages) - 1, first_row, rows, columns, channels, stride, offset, element_bytes)
        )
        places = (
            np.array(addresses[first_row:])[:, None, None]
            + offset
            + stride * np.arange(columns)[None, :, None]
            + np.arange(channels * element_bytes)[None, None, :]
        )
        return Image(len(self.views) - 1, places, dtype)

    def holding(
        self, values: Array, *, gap: int = 0, margin: int = 0, layout: str = "affine", first_row: int = 0
    ) -> Image:
        """An image with `values` in it."""
        rows, columns, channels = values.shape
        image = self.image(
            (rows, columns, channels),
            dtype=values.dtype.name,
            gap=gap,
            margin=margin,
            layout=layout,
            first_row=first_row,
        )
        self.put(image, values)
        return image

    def constant_image(self, values: Array) -> Image:
        """An image that lies in the program."""
        rows, columns, channels = values.shape
        self.storages.append(Storage(columns * channels, rows, constant=self.constant(values)))
        self.views.append(View(len(self.storages) - 1, 0, rows, columns, channels, channels))
        return Image(len(self.views) - 1, np.zeros((0, 0, 0), int), "int8")

    def constant(self, values: Array) -> int:
        self.constants.append(values.tobytes())
        return len(self.constants) - 1

    def put(self, image: Image, values: Array) -> None:
        data = np.ascontiguousarray(values.astype(image.dtype)).view(np.uint8).reshape(image.places.shape)
        memory = np.frombuffer(self.memory, np.uint8)
        memory[image.places] = data

    def program(self, ops: list[Op], steps: list[Step]) -> Program:
        size = len(self.memory) + -len(self.memory) % 4
        return Program(
            size, (), (), tuple(self.storages), tuple(self.views), tuple(ops), tuple(steps), tuple(self.constants)
        )

    def run(
        self,
        kind: OpKind,
        params: Mapping[str, int | float],
        output: Image,
        input: Image,
        input2: Image | None = None,
        accumulator: Image | None = None,
    ) -> Array:
        """The output after one op has taken all its steps. Asserts that no other byte of the workspace has changed."""
        op = Op(
            kind,
            output.view,
            input.view,
            {f.name: params[f.name] for f in kinds.of(kind).record.fields},
            None if input2 is None else input2.view,
            None if accumulator is None else accumulator.view,
        )
        feeds = kind in (OpKind.SUM_FEED, OpKind.DENSE_FEED)
        rows = self.views[input.view if feeds else output.view].row_count
        program = self.program([op], [Step(0, row) for row in range(rows)])
        before = bytes(self.memory) + bytes(program.workspace_bytes - len(self.memory))
        after = np.frombuffer(execute(encode(program), before), np.uint8)
        untouched = np.ones(len(after), bool)
        untouched[output.places] = False
        if accumulator is not None:
            untouched[accumulator.places] = False
        assert np.array_equal(after[untouched], np.frombuffer(before, np.uint8)[untouched])
        return np.ascontiguousarray(after[output.places]).view(output.dtype)


def requantize(value: Array, multiplier: Array | int, shift: Array | int) -> Array:
    """TFLM's MultiplyByQuantizedMultiplier, straight from its definition: it rounds twice, halves away from zero."""
    multiplier, shift = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    value = wrap(np.asarray(value, np.int64) << np.maximum(shift, 0))
    product = value * multiplier
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))
    right = np.maximum(-shift, 0)
    mask = (np.int64(1) << right) - 1
    rounded: Array = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded


def wrap(value: Array) -> Array:
    """`value` modulo 2^32, as an int32 would hold it."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
