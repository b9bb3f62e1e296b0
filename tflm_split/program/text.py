"""How does a person read a program?

One line per input, output, storage, view and op, and one per run of steps. Ranges are half-open: `rows 0..4` are rows
0, 1, 2 and 3. The same program gives the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tflm_split import kinds
from tflm_split.kinds import OpKind
from tflm_split.program.encode import storage_kind
from tflm_split.program.format import StorageKind
from tflm_split.program.types import Io, Move, Op, Program, Step, Storage, View

_AXES = ("rows", "columns")
_WINDOW = ("kernel", "stride", "dilation", "pad")
_ELEMENTS = {1: "int8", 2: "int16", 4: "32-bit"}


def format_program(program: Program) -> str:
    """The program as text that ends in a newline. The program need not be well-formed."""
    sections = (
        ("inputs", [_io(f"in{i}", io) for i, io in enumerate(program.inputs)]),
        ("outputs", [_io(f"out{i}", io) for i, io in enumerate(program.outputs)]),
        ("storages", [_storage(program, s, storage) for s, storage in enumerate(program.storages)]),
        ("views", [_view(v, view) for v, view in enumerate(program.views)]),
        ("ops", [_op(program, k, op) for k, op in enumerate(program.ops)]),
        ("state", [_fill(program, k) for k in range(len(program.fills))]),
        ("moves", [_move(move) for move in program.moves]),
        ("steps", list(_steps(program))),
    )
    state = f"{program.state_bytes} B state, " if program.fills else ""
    state += f"{program.slow_bytes} B of a slow memory, " if program.slow_bytes else ""
    constant_bytes = sum(len(constant) for constant in program.constants)
    lines = [
        f"TFLM_SPLIT program: {program.workspace_bytes} B workspace, {state}{len(program.ops)} ops, "
        f"{len(program.steps)} steps, {len(program.constants)} constants of {constant_bytes} B"
    ]
    for title, rows in sections:
        if rows:
            lines += ["", title, *(f"  {line}" for line in _aligned(rows))]
    return "\n".join(lines) + "\n"


def address_runs(storage: Storage) -> list[str]:
    """The addresses of a storage's rows, as texts. Rows at equal distances share one: `rows 0..4 from 96 every 32`."""
    runs: list[str] = []
    row = 0
    while row < len(storage.addresses):
        first, end = storage.addresses[row], row + 1
        step = _difference(storage.addresses, row)
        while end < len(storage.addresses) and _difference(storage.addresses, end - 1) == step is not None:
            end += 1
        if first is None:
            while end < len(storage.addresses) and storage.addresses[end] is None:
                end += 1
            where = "nowhere"
        elif end == row + 1:
            where = f"at {first}"
        elif step == 0:
            where = f"all at {first}"
        else:
            where = f"from {first}" + ("" if step == storage.row_bytes else f" every {step}")
        rows = f"row {row}" if end == row + 1 else f"rows {row}..{end}"
        runs.append(f"{rows} {where}")
        row = end
    return runs


def _difference(addresses: Sequence[int | None], row: int) -> int | None:
    """How many bytes row + 1 lies behind `row`; None unless both have an address."""
    here, after = addresses[row], addresses[row + 1] if row + 1 < len(addresses) else None
    return None if here is None or after is None else after - here


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    """The rows as lines whose columns line up. The last cell of a row is not padded."""
    widths = [0] * max((len(row) for row in rows), default=0)
    for row in rows:
        for i, cell in enumerate(row[:-1]):
            widths[i] = max(widths[i], len(cell))
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()


def _io(name: str, io: Io) -> list[str]:
    return [name, f"{io.address}..{io.address + io.bytes}", f"{io.bytes} B"]


def _fill(program: Program, index: int) -> list[str]:
    fill = program.fills[index]
    first = program.workspace_bytes + sum(before.bytes for before in program.fills[:index])
    return [f"part {index}", f"{first}..{first + fill.bytes}", f"{fill.bytes} B of {fill.value}"]


def _storage(program: Program, index: int, storage: Storage) -> list[str]:
    kind = storage_kind(program, index)
    where = f"constant c{storage.constant}" if kind is StorageKind.CONSTANT else ", ".join(address_runs(storage))
    return [f"s{index}", kind.name.lower(), f"{storage.row_count} x {storage.row_bytes} B", where]


def _view(index: int, view: View) -> list[str]:
    elements = _ELEMENTS.get(view.element_bytes, f"{view.element_bytes}-byte")
    shape = f"{view.row_count} x {view.column_count} x {view.channel_count} {elements}"
    cells = [f"v{index}", f"s{view.storage}", f"rows {view.first_row}..{view.first_row + view.row_count}", shape]
    return [*cells, f"stride {view.pixel_stride_bytes} B", f"offset {view.offset_bytes} B"]


def _op(program: Program, index: int, op: Op) -> list[str]:
    operands = " ".join(f"v{v}" for v in (op.input, op.input2) if v is not None)
    flow = f"v{op.output} <- {operands}"
    if op.accumulator is not None:
        flow += f" via v{op.accumulator}"
    cells = [f"#{index}", op.kind.name, flow, " ".join(_params(program, op))]
    if op.source:
        cells[-1] += f"  ({op.source})"
    return cells


def _params(program: Program, op: Op) -> Iterator[str]:
    """The parameters in the order of their record: windows as `kernel=3x3`, constants as `weights=c0[36 B]`."""
    constants = kinds.of(op.kind).constant_fields
    for name, value in op.params.items():
        stem, _, axis = name.rpartition("_")
        if stem in _WINDOW and axis in _AXES and all(f"{stem}_{a}" in op.params for a in _AXES):
            if axis == "rows":
                yield f"{stem}={value}x{op.params[f'{stem}_columns']}"
        elif name in constants:
            held = len(program.constants[int(value)]) if 0 <= int(value) < len(program.constants) else 0
            yield f"{name.removesuffix('_offset')}=c{int(value)}[{held} B]"
        else:
            yield f"{name}={value}"


def _move(move: Move) -> list[str]:
    return [f"before {move.step}", f"s{move.storage}", f"row {move.row}", f"to {move.address}"]


def _steps(program: Program) -> Iterator[list[str]]:
    """One line per run of steps of one op whose rows follow each other: number of the first step, op, rows."""
    start = 0
    for i in range(1, len(program.steps) + 1):
        if i < len(program.steps) and _follows(program.steps[i - 1], program.steps[i]):
            continue
        first, last = program.steps[start], program.steps[i - 1]
        kind = program.ops[first.op].kind if 0 <= first.op < len(program.ops) else None
        name = f"{kind.name if isinstance(kind, OpKind) else '?'}#{first.op}"
        rows = f"row {first.row}" if first == last else f"rows {first.row}..{last.row + 1}"
        yield [str(start), name, rows]
        start = i


def _follows(before: Step, after: Step) -> bool:
    return (after.op, after.row) == (before.op, before.row + 1)
