"""The flatbuffers bindings of the TFLite schema: nothing else in the package imports them.

Their object API knows every field of the schema that TFLM was built with, so what this package does not model survives
reading and writing. Several packages carry the same generated file: `providers.py` says which, and finds it. It is loaded
on first use.
"""

from __future__ import annotations

import importlib
from copy import copy
from functools import cache
from types import ModuleType
from typing import Any

from tflm_split.errors import ModelError
from tflm_split.tflite.providers import load_bindings

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
"""`Model.version` of every file that TFLM runs (TFLITE_SCHEMA_VERSION)."""
BUFFER_ALIGNMENT_BYTES = 16
"""The alignment of `Buffer.data` in a file (`force_align` in the schema). Kernels rely on it."""
CUSTOM = "CUSTOM"


@cache
def bindings() -> ModuleType:
    """The generated bindings. Raises ToolError if no installed package carries them, or only with another schema."""
    return load_bindings()


def root(data: bytes) -> Any:
    """The lazy accessor of the file's root table. Nothing is checked or expanded."""
    return bindings().Model.GetRootAs(data, 0)


def unpack(data: bytes) -> Any:
    """The whole file as a tree of mutable objects (`ModelT`). Vectors are numpy views into `data`.

    This trusts `data`: call `bounds.used_bytes` on it first.
    """
    return bindings().ModelT.InitFromObj(root(data))


def copied(tree: Any) -> Any:
    """A copy of `tree` that can be edited. Vectors are shared, because nobody changes them in place."""
    if isinstance(tree, list):
        return [copied(part) for part in tree]
    if not hasattr(tree, "__dict__"):
        return tree
    twin = copy(tree)
    for name, part in vars(tree).items():
        if isinstance(part, list) or hasattr(part, "__dict__"):
            setattr(twin, name, copied(part))
    return twin


def pack(tree: Any, size_hint_bytes: int = 1024) -> bytes:
    """The tree as a TFL3 file in which every `Buffer.data` and every `custom_options` is 16-byte aligned.

    The same tree always gives the same bytes.
    """
    builder = _aligned_builder(size_hint_bytes)
    builder.Finish(tree.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def new(class_name: str, **fields: Any) -> Any:
    """A fresh object of the object API, e.g. `new("TensorT", name=b"x")`. Raises AttributeError for a field it has not.

    Fields are set one by one: older bindings have constructors without arguments.
    """
    made = getattr(bindings(), class_name)()
    for name, value in fields.items():
        getattr(made, name)
        setattr(made, name, value)
    return made


@cache
def _members(enum: str) -> dict[str, int]:
    return {k: v for k, v in vars(getattr(bindings(), enum)).items() if not k.startswith("_") and isinstance(v, int)}


@cache
def _names(enum: str) -> dict[int, str]:
    return {number: name for name, number in reversed(_members(enum).items())}


def enum_name(enum: str, value: int) -> str | None:
    """The name of the member of `enum` with this value; None when there is none."""
    return _names(enum).get(value)


def enum_value(enum: str, name: str) -> int:
    """The value of a member. Raises ModelError if the schema has no such member."""
    try:
        return _members(enum)[name]
    except KeyError:
        raise ModelError(f"the TFLite schema has no {enum} named {name!r}") from None


def _aligned_builder(size_hint_bytes: int) -> Any:
    """A flatbuffers builder that gives every byte vector the schema's 16-byte alignment.

    The generated Python code ignores `force_align`. All byte vectors (`Buffer.data`, `Operator.custom_options`, a few tiny
    ones) pass through `CreateNumpyVector`, so one override is enough.
    """
    base = importlib.import_module("flatbuffers").Builder

    def create_numpy_vector(self: Any, array: Any) -> Any:
        if array.dtype.str != "|u1":
            return base.CreateNumpyVector(self, array)
        payload = array.tobytes()
        self.StartVector(1, len(payload), BUFFER_ALIGNMENT_BYTES)
        self.head -= len(payload)
        self.Bytes[self.head : self.head + len(payload)] = payload
        return self.EndVector()

    return type("AlignedBuilder", (base,), {"CreateNumpyVector": create_numpy_vector})(size_hint_bytes)
