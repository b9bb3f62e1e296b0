"""The JSON schemas (draft 2020-12) of all records. They are made from the records' types and from the declared options."""

from __future__ import annotations

import types
import typing
from typing import Any

from tflm_split.options import Options, declared
from tflm_split.report.answer_records import FitRecord, WhyRecord
from tflm_split.report.command_records import FrontRecord, InspectionRecord, VerdictRecord
from tflm_split.report.record_types import Record, Says
from tflm_split.split.axes.allowed import AXES

_PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}


def record_schema() -> dict[str, Any]:
    """The schema of the record of one optimisation, as JSON values."""
    schema = _titled("record", Record)
    schema["properties"]["options"] |= _options()
    return schema


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of every record by its name: that of `docs/<name>.schema.json`."""
    others = {
        "front": FrontRecord,
        "verdict": VerdictRecord,
        "inspection": InspectionRecord,
        "fit": FitRecord,
        "why": WhyRecord,
    }
    return {"record": record_schema()} | {name: _titled(name, record) for name, record in others.items()}


def _titled(name: str, record: Any) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"tflm-split {name}", **_of(record)}


def _options() -> dict[str, Any]:
    hints = typing.get_type_hints(Options)
    properties = {}
    for option in declared():
        schema: dict[str, Any] = {"description": option.about.help, **_of(hints[option.field])}
        if option.about.unit:
            schema["unit"] = option.about.unit
        properties[option.field] = schema
    properties["axes"]["items"] = {"enum": list(AXES)}
    return {"properties": properties, "required": list(properties), "additionalProperties": False}


def _of(hint: Any) -> dict[str, Any]:
    """The schema of one type. Raises TypeError for a type that no record has."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if typing.is_typeddict(hint):
        return _object(hint)
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (list, frozenset):
        return {"type": "array", "items": _of(arguments[0])}
    if origin is dict:
        return {"type": "object"}
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    raise TypeError(f"no record holds a {hint}")


def _union(arguments: tuple[Any, ...]) -> dict[str, Any]:
    schemas = [_of(argument) for argument in arguments]
    if all(set(schema) == {"type"} for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": schemas}


def _object(hint: Any) -> dict[str, Any]:
    """The schema of a TypedDict. All its fields are required, and no others are allowed.

    Raises TypeError for a field that does not say what it means.
    """
    properties = {}
    for name, annotated in typing.get_type_hints(hint, include_extras=True).items():
        inner, says = typing.get_args(annotated)
        if not isinstance(says, Says):
            raise TypeError(f"{hint.__name__}.{name} does not say what it means")
        unit = says.unit or ("bytes" if name.endswith("_bytes") else "")
        properties[name] = {"description": says.text, **({"unit": unit} if unit else {}), **_of(inner)}
    return {
        "description": hint.__doc__,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
