"""The form of a decision on disk: JSON that can be compared line by line, with the model that it is for.

    {"schema": 3, "model": "5f0c...", "int8_io": false, ..., "decision": {"nodes": [0, 1, 2], "cuts": [0, 2], ...}}

`model` is a fingerprint of the graph without its constants. So a plan fits a model that was trained again, too. What is
read is checked: whatever no such file could hold is refused in one sentence.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph
from tflm_split.plan.problem import Move
from tflm_split.rewrite.copy_operators import Copy
from tflm_split.rewrite.tile_columns import Tiles
from tflm_split.schedule.recomputed import Patches
from tflm_split.search.decision import Addresses, Decision, Rewrite
from tflm_split.split.channel_rules import Sizes
from tflm_split.tflite.save import save

SCHEMA = 3
"""Version of the form on disk."""
NUMBERS_PER_LINE = 16
_MOST = 1 << 40
"""No number in a plan is as large."""


@dataclass(frozen=True, slots=True)
class SavedDecision:
    """A decision about the graph with this fingerprint, whose float interface is stripped if `int8_io` says so.

    `stream_input` rows of the input come in each call; 0: it is not streamed. `uint8_pixels` says how they come. So
    `stream_output` rows of the output go. Where windows slide by `reuse_window` rows, the tensors `reused` remember theirs.

    Without a `decision`, the original model is kept: nothing was gained by splitting it.
    """

    fingerprint: str
    int8_io: bool
    decision: Decision | None = field(repr=False)
    stream_input: int = 0
    uint8_pixels: bool = False
    stream_output: int = 0
    reuse_window: int = 0
    reused: tuple[int, ...] = ()

    def check_fits(self, graph: Graph) -> None:
        """Raises InputError unless the decision is about `graph`."""
        if self.fingerprint != fingerprint(graph):
            raise InputError("the plan is for another model: its operators or the shapes of its tensors differ")

    def json(self) -> str:
        """The form on disk."""
        decision = None if self.decision is None else _as_json(self.decision)
        document = {
            "schema": SCHEMA,
            "model": self.fingerprint,
            "int8_io": self.int8_io,
            "stream_input": self.stream_input,
            "stream_output": self.stream_output,
            "uint8_pixels": self.uint8_pixels,
            "reuse_window": self.reuse_window,
            "reused": list(self.reused),
            "decision": decision,
        }
        return _lines(document) + "\n"

    def save(self, path: os.PathLike[str] | str, *, force: bool = False) -> None:
        """Write it to `path` in one step. Raises InputError when that fails, or if there is such a file, without `force`."""
        save(self.json().encode(), path, force=force)

    @staticmethod
    def parse(text: str | bytes, name: str = "the plan") -> SavedDecision:
        """What `json` gave. Raises InputError if it is no such text; `name` says whose."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as fault:
            raise InputError(f"{name}: is no plan, but not even JSON") from fault
        top = _Reader(name, document)
        if top.get("schema") != SCHEMA:
            raise InputError(f"{name}: has schema {top.get('schema')!r}, this version reads {SCHEMA}: make a new plan")
        decision = top.get("decision")
        read = None if decision is None else _decision(_Reader(name, decision))
        return SavedDecision(
            fingerprint=top.text("model"),
            int8_io=top.flag("int8_io"),
            decision=read,
            stream_input=top.number("stream_input"),
            uint8_pixels=top.flag("uint8_pixels"),
            stream_output=top.number("stream_output"),
            reuse_window=top.number("reuse_window"),
            reused=top.numbers("reused"),
        )

    @staticmethod
    def read(path: os.PathLike[str] | str) -> SavedDecision:
        """The decision in a file. Raises InputError if there is none."""
        try:
            data = Path(path).read_bytes()
        except OSError as fault:
            raise InputError(f"{path}: cannot be read: {fault.strerror or fault}") from fault
        return SavedDecision.parse(data, str(path))


def fingerprint(graph: Graph) -> str:
    """The same for graphs that differ in the values of constants and in names only."""
    tensors = [(t.shape, t.dtype, t.is_constant, t.is_variable) for t in graph.tensors]
    operators = [(op.kind, op.inputs, op.outputs) for op in graph.operators]
    interface = (graph.inputs, graph.outputs)
    text = repr((tensors, operators, *interface, *((graph.states,) if graph.states else ())))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _as_json(decision: Decision) -> dict[str, Any]:
    layout = decision.layout
    return {
        "concatenate_in_place": decision.concatenate_in_place,
        "swap_axes": decision.swap_axes,
        "samples": decision.samples,
        "rows": decision.rows,
        "streams_attention": decision.streams_attention,
        "rewrites": [_rewrite_as_json(rewrite) for rewrite in decision.rewrites],
        "nodes": list(decision.nodes),
        "cuts": list(decision.cuts),
        "channel_groups": {str(t): list(sizes) for t, sizes in decision.channel_groups},
        "recomputed": sorted(decision.recomputed),
        "patches": [{"inner": list(block.inner), "last": block.last, "rows": block.rows} for block in decision.patches],
        "steps": None if decision.steps is None else list(decision.steps),
        "layout": None
        if layout is None
        else {
            "board": layout.board,
            "only_free": layout.only_free,
            "technique": layout.technique,
            "solver": layout.solver,
            "addresses": list(layout.addresses),
            "moves": [[m.position, m.body, m.span, m.address] for m in layout.moves],
        },
    }


def _rewrite_as_json(rewrite: Rewrite) -> dict[str, Any]:
    if isinstance(rewrite, Copy):
        return {"copy": list(rewrite.operators), "for": list(rewrite.readers)}
    return {"tile": list(rewrite.operators), "edges": list(rewrite.edges)}


def _lines(value: Any, indent: str = "") -> str:
    """`value` as JSON: a field per line, and of long lists of numbers a fixed count per line."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        fields = (f"{inner}{json.dumps(key)}: {_lines(of_key, inner)}" for key, of_key in value.items())
        return "{\n" + ",\n".join(fields) + "\n" + indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], (list, dict)):
        return "[\n" + ",\n".join(inner + json.dumps(item) for item in value) + "\n" + indent + "]"
    if isinstance(value, list) and len(value) > NUMBERS_PER_LINE:
        rows = (value[k : k + NUMBERS_PER_LINE] for k in range(0, len(value), NUMBERS_PER_LINE))
        return "[\n" + ",\n".join(inner + ", ".join(map(str, row)) for row in rows) + "\n" + indent + "]"
    return json.dumps(value)


class _Reader:
    """Fields of a JSON object, each with its type checked."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        if not isinstance(value, Mapping):
            raise InputError(f"{name}: is no plan")
        self.value = value

    def get(self, key: str) -> Any:
        if key not in self.value:
            raise InputError(f"{self.name}: is no plan: it has no {key!r}")
        return self.value[key]

    def fail(self, key: str, wanted: str) -> InputError:
        return InputError(f"{self.name}: is no plan: its {key!r} is not {wanted}")

    def flag(self, key: str) -> bool:
        value = self.get(key)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def number(self, key: str) -> int:
        value = self.get(key)
        if type(value) is not int or not 0 <= value < _MOST:
            raise self.fail(key, "a number")
        return value

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str):
            raise self.fail(key, "a text")
        return value

    def numbers(self, key: str) -> tuple[int, ...]:
        return self.as_numbers(key, self.get(key))

    def as_numbers(self, key: str, value: Any) -> tuple[int, ...]:
        good = isinstance(value, list) and all(type(n) is int and 0 <= n < _MOST for n in value)
        if not good:
            raise self.fail(key, "a list of numbers")
        return tuple(value)

    def objects(self, key: str) -> list[Any]:
        value = self.get(key)
        if not isinstance(value, list):
            raise self.fail(key, "a list")
        return value


def _decision(reader: _Reader) -> Decision:
    steps, layout = reader.get("steps"), reader.get("layout")
    if layout is None:
        raise InputError(f"{reader.name}: is no plan: it has no layout")
    return Decision(
        nodes=reader.numbers("nodes"),
        cuts=reader.numbers("cuts"),
        concatenate_in_place=reader.flag("concatenate_in_place"),
        swap_axes=reader.number("swap_axes"),
        samples=reader.number("samples"),
        rows=reader.flag("rows"),
        streams_attention=reader.flag("streams_attention"),
        rewrites=tuple(_rewrite(_Reader(reader.name, rewrite)) for rewrite in reader.objects("rewrites")),
        channel_groups=_channel_groups(reader),
        recomputed=frozenset(reader.numbers("recomputed")),
        patches=tuple(_patches(_Reader(reader.name, block)) for block in reader.objects("patches")),
        steps=None if steps is None else reader.as_numbers("steps", steps),
        layout=_layout(_Reader(reader.name, layout)),
    )


def _rewrite(reader: _Reader) -> Rewrite:
    if "copy" in reader.value:
        return Copy(reader.numbers("copy"), reader.numbers("for"))
    return Tiles(reader.numbers("tile"), reader.numbers("edges"))


def _patches(reader: _Reader) -> Patches:
    return Patches(reader.numbers("inner"), reader.number("last"), reader.number("rows"))


def _channel_groups(reader: _Reader) -> tuple[tuple[int, Sizes], ...]:
    groups = _Reader(reader.name, reader.get("channel_groups"))
    if not all(key.isascii() and key.isdigit() and len(key) < 10 for key in groups.value):
        raise reader.fail("channel_groups", "by number of a tensor")
    return tuple(sorted((int(key), groups.numbers(key)) for key in groups.value))


def _layout(reader: _Reader) -> Addresses:
    moves = [reader.as_numbers("moves", move) for move in reader.objects("moves")]
    if any(len(move) != 4 for move in moves):
        raise reader.fail("moves", "a list of four numbers each")
    return Addresses(
        addresses=reader.numbers("addresses"),
        moves=tuple(Move(*move) for move in moves),
        board=reader.text("board"),
        only_free=reader.flag("only_free"),
        technique=reader.text("technique"),
        solver=reader.text("solver"),
    )
