"""Is this program well-formed: can an executor follow it without reading or writing outside its bounds?

`check_program` raises ProgramError with the first fault as one sentence. It checks every record on its own, and records
against each other: views lie inside storages, shapes fit together, constants have the right length. It does not check
whether a step finds the data it expects; `verify.replay` does. The C executor's `prepare` holds the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from tflm_split import kinds
from tflm_split.errors import ProgramError
from tflm_split.kinds.kind import Case, Kind, Row
from tflm_split.kinds.limits import MAX_BYTES, MAX_MOVES, MAX_STREAMS, MOVE_ALIGN, STATE_ALIGN
from tflm_split.program.format import NONE, StorageKind
from tflm_split.program.types import Op, Program, Storage, View


def check_program(program: Program) -> None:
    """Return if the program is well-formed; else raise ProgramError with the first fault."""
    for what, count in (("storages", len(program.storages)), ("views", len(program.views)), ("ops", len(program.ops))):
        if count >= NONE:
            raise ProgramError(f"the program has {count} {what}, and {NONE - 1} is the most")
    if program.workspace_bytes > MAX_BYTES:
        raise ProgramError(f"the workspace has {program.workspace_bytes} bytes, and {MAX_BYTES} is the most")
    for name, ios in (("input", program.inputs), ("output", program.outputs)):
        for i, io in enumerate(ios):
            if io.bytes < 1 or not program.holds_interface(io.address, io.address + io.bytes):
                raise ProgramError(
                    f"{name} {i} covers bytes {io.address} to {io.address + io.bytes} of {_memories(program)}"
                )
    _check_second_memory(program)
    for s, storage in enumerate(program.storages):
        _check_storage(program, f"storage {s}", storage)
    for v, view in enumerate(program.views):
        _check_view(program, f"view {v}", view)
    for k, op in enumerate(program.ops):
        _check_op(program, k, op)
    rows_of = [step_rows(program, op) for op in program.ops]
    cases = [case_of(program, op) for op in program.ops]
    for i, step in enumerate(program.steps):
        if not 0 <= step.op < len(program.ops):
            raise ProgramError(f"step {i} names op {step.op}, but there are {len(program.ops)} ops")
        if not 0 <= step.row < rows_of[step.op]:
            raise ProgramError(f"step {i} computes row {step.row} of op {step.op}, which has {rows_of[step.op]} rows")
    for k, case in enumerate(cases):
        reads = kinds.of(program.ops[k].kind).reads
        _check_rows_read(program, k, f"op {k} {program.ops[k].kind.name}", reads.checked_once(case))
    for k, row in sorted({(step.op, step.row) for step in program.steps}):
        _check_addresses(program, k, cases[k], row)
    _check_moves(program)
    _check_pauses(program)


def _memories(program: Program) -> str:
    """The memories that rows may lie in, for an error."""
    second = f" and a state of {program.state_bytes}" if program.fills else ""
    second += f" and a slow memory of {program.slow_bytes}" if program.slow_bytes else ""
    return f"a workspace of {program.workspace_bytes}{second}"


def _check_second_memory(program: Program) -> None:
    """Refuse parts of a state that are empty or of no byte's value, a second memory that is too large or at an odd address, and
    a state beside a slow memory.
    """
    if program.slow_bytes < 0 or (program.slow_bytes and program.fills):
        raise ProgramError(f"the program has a slow memory of {program.slow_bytes} bytes and a state")
    for i, fill in enumerate(program.fills):
        if fill.bytes < 1 or not 0 <= fill.value <= 0xFF:
            raise ProgramError(f"part {i} of the state has {fill.bytes} bytes of value {fill.value}")
    if len(program.fills) > 0xFFFF or program.workspace_bytes + program.second_bytes > MAX_BYTES:
        raise ProgramError(
            f"the second memory has {program.second_bytes} bytes, of a state in {len(program.fills)} parts, which is too much"
        )
    if program.second_bytes and program.workspace_bytes % STATE_ALIGN:
        raise ProgramError(
            f"a second memory follows a workspace of {program.workspace_bytes} bytes, not a multiple of {STATE_ALIGN}"
        )


def step_rows(program: Program, op: Op) -> int:
    """How many steps the op takes: the rows of its output view, or for a feed, of its input view."""
    return program.views[op.input if kinds.of(op.kind).steps_by_input else op.output].row_count


def case_of(program: Program, op: Op) -> Case:
    """The op in the form that its kind's rules check. Its views and constants must exist."""
    constants = {c.field: program.constants[int(op.params[c.field])] for c in kinds.of(op.kind).constants}
    return replace(_bare_case(program, op), constants=constants)


def _check_addresses(program: Program, index: int, case: Case, row: int) -> None:
    """Refuse a step that touches a row without an address."""
    op = program.ops[index]
    kind = kinds.of(op.kind)
    who = f"row {row} of op {index} {op.kind.name}"
    _check_has_address(program, who, op.output, kind.written_row(row, program.views[op.output].row_count))
    if op.accumulator is not None:
        _check_has_address(program, who, op.accumulator, row if kind.sums else 0)
    _check_rows_read(program, index, who, kind.reads.checked_per_step(case, row))


def _check_rows_read(program: Program, index: int, who: str, rows: Iterable[Row]) -> None:
    operands = (program.ops[index].input, program.ops[index].input2)
    for operand, row in rows:
        view = operands[operand]
        assert view is not None
        _check_has_address(program, who, view, row)


def _check_has_address(program: Program, who: str, view_index: int, row: int) -> None:
    view = program.views[view_index]
    storage = program.storages[view.storage]
    if storage.constant is None and storage.addresses[view.first_row + row] is None:
        raise ProgramError(f"{who} touches row {view.first_row + row} of storage {view.storage}, which has no address")


def _check_moves(program: Program) -> None:
    if len(program.moves) > MAX_MOVES:
        raise ProgramError(f"the program has {len(program.moves)} moves, and {MAX_MOVES} is the most")
    seen: set[tuple[int, int, int]] = set()
    latest = 0
    for i, move in enumerate(program.moves):
        if not latest <= move.step < len(program.steps):
            raise ProgramError(
                f"move {i} comes before step {move.step}, which is not one of {latest} to {len(program.steps)}"
            )
        latest = move.step
        if not 0 <= move.storage < len(program.storages) or program.storages[move.storage].constant is not None:
            raise ProgramError(f"move {i} names storage {move.storage}, which is none in the workspace")
        storage = program.storages[move.storage]
        first = storage.addresses[move.row] if 0 <= move.row < storage.row_count else None
        if first is None:
            raise ProgramError(f"move {i} moves row {move.row} of storage {move.storage}, which has no address")
        inside = 0 <= move.address <= program.workspace_bytes - storage.row_bytes
        inside = inside and first <= program.workspace_bytes - storage.row_bytes
        if not inside or (move.address - first) % MOVE_ALIGN:
            raise ProgramError(
                f"move {i} takes row {move.row} of storage {move.storage} from {first} to {move.address}, in a workspace "
                f"of {program.workspace_bytes} bytes and by a multiple of {MOVE_ALIGN}"
            )
        if (move.step, move.storage, move.row) in seen:
            raise ProgramError(f"move {i} moves row {move.row} of storage {move.storage} twice before step {move.step}")
        seen.add((move.step, move.storage, move.row))


def _check_pauses(program: Program) -> None:
    """Refuse pauses that are out of order, and streams that do not take or give each row once, in order, in its own call."""
    if len(program.pauses) >= NONE:
        raise ProgramError(f"the program has {len(program.pauses)} pauses, and {NONE - 1} is the most")
    for before, pause in pairwise((0, *program.pauses, len(program.steps))):
        if before >= pause and program.pauses:
            raise ProgramError(f"the program pauses before step {pause}, after a pause before step {before}")
    streams = {k: kinds.of(op.kind) for k, op in enumerate(program.ops) if _is_stream(op)}
    if len(streams) > MAX_STREAMS:
        raise ProgramError(f"the program has {len(streams)} streams of rows, and {MAX_STREAMS} is the most")
    for k, kind in streams.items():
        view = program.views[program.ops[k].output if kind.emits else program.ops[k].input]
        storage = program.storages[view.storage]
        lie = storage.addresses[view.first_row : view.first_row + view.row_count]
        in_order = all(a is not None and a == (lie[0] or 0) + r * storage.row_bytes for r, a in enumerate(lie))
        if storage.constant is not None or not in_order or view.storage in program.moved_storages:
            raise ProgramError(f"op {k} streams rows that do not follow each other in the workspace")
    if (streams and program.fills) or (program.pauses and program.slow_bytes):
        raise ProgramError("the program streams rows in several calls, and has a second memory")
    if not streams:
        if program.pauses:
            raise ProgramError("the program pauses, and streams no rows")
        return
    takes, gives = program.takes, program.gives
    for pause, brings, hands_over in zip(program.pauses, takes[1:], gives, strict=False):
        if not brings and not hands_over:
            raise ProgramError(f"the program pauses before step {pause}, where no rows come or go")
    due = dict.fromkeys(streams, 0)
    taken = given = 0
    for call, steps in enumerate(program.calls):
        taken += takes[call]
        for number in steps:
            step = program.steps[number]
            if step.op not in due:
                continue
            emits = streams[step.op].emits
            each = program.whole_and_each(program.ops[step.op])[1]
            if step.row != due[step.op] or step.row // each != (given if emits else taken - 1):
                does = "emits" if emits else "fetches"
                raise ProgramError(f"step {number} {does} row {step.row} of op {step.op} in call {call}")
            due[step.op] += 1
        given += gives[call]
    for k in streams:
        rows = program.whole_and_each(program.ops[k])[0]
        if due[k] != rows:
            raise ProgramError(f"op {k} streams {due[k]} of {rows} rows")


def _is_stream(op: Op) -> bool:
    return kinds.of(op.kind).fetches or kinds.of(op.kind).emits


def _check_storage(program: Program, name: str, storage: Storage) -> None:
    if storage.row_bytes < 1 or not 1 <= storage.row_count <= 0xFFFF:
        raise ProgramError(f"{name} has {storage.row_count} rows of {storage.row_bytes} bytes")
    if storage.constant is not None:
        if not 0 <= storage.constant < len(program.constants):
            raise ProgramError(f"{name} names constant {storage.constant}, but there are {len(program.constants)}")
        held, needed = len(program.constants[storage.constant]), storage.row_bytes * storage.row_count
        if held != needed:
            raise ProgramError(f"{name} needs {needed} bytes of constant {storage.constant}, which has {held}")
        return
    if len(storage.addresses) != storage.row_count:
        raise ProgramError(f"{name} has {storage.row_count} rows and {len(storage.addresses)} addresses")
    for row, address in enumerate(storage.addresses):
        if address is not None and not program.holds(address, address + storage.row_bytes):
            raise ProgramError(
                f"row {row} of {name} covers bytes {address} to {address + storage.row_bytes} of {_memories(program)}"
            )


def _check_view(program: Program, name: str, view: View) -> None:
    if not 0 <= view.storage < len(program.storages):
        raise ProgramError(f"{name} names storage {view.storage}, but there are {len(program.storages)}")
    storage = program.storages[view.storage]
    if view.first_row < 0 or view.row_count < 1 or view.first_row + view.row_count > storage.row_count:
        raise ProgramError(
            f"{name} sees rows {view.first_row} to {view.first_row + view.row_count} of storage {view.storage}, "
            f"which has {storage.row_count}"
        )
    if view.element_bytes not in (1, 2, 4):
        raise ProgramError(f"{name} has elements of {view.element_bytes} bytes, needs 1, 2 or 4")
    if not 1 <= view.column_count <= 0xFFFF or view.channel_count < 1:
        raise ProgramError(f"{name} has {view.column_count} columns of {view.channel_count} channels")
    pixel_bytes = view.channel_count * view.element_bytes
    if not 0 <= view.pixel_stride_bytes <= MAX_BYTES:
        raise ProgramError(f"{name} has pixels {view.pixel_stride_bytes} bytes apart")
    if view.column_count > 1 and view.pixel_stride_bytes < pixel_bytes:
        raise ProgramError(f"{name} has pixels of {pixel_bytes} bytes only {view.pixel_stride_bytes} bytes apart")
    end = view.offset_bytes + (view.column_count - 1) * view.pixel_stride_bytes + pixel_bytes
    if view.offset_bytes < 0 or end > storage.row_bytes:
        raise ProgramError(
            f"{name} reaches from byte {view.offset_bytes} to {end} of rows that have {storage.row_bytes} bytes"
        )
    if view.element_bytes > 1:
        if view.pixel_stride_bytes % view.element_bytes:
            raise ProgramError(
                f"{name} has pixels {view.pixel_stride_bytes} bytes apart, not a multiple of {view.element_bytes}"
            )
        if storage.kind is StorageKind.CONSTANT:
            starts: list[int] = [r * storage.row_bytes for r in range(storage.row_count)]
        else:
            starts = [a for a in storage.addresses[view.first_row : view.first_row + view.row_count] if a is not None]
        if any((start + view.offset_bytes) % view.element_bytes for start in starts):
            size = view.element_bytes
            raise ProgramError(f"{name} has {size}-byte elements at an address that is not a multiple of {size}")


def _check_op(program: Program, index: int, op: Op) -> None:
    """Refuse an op that breaks a rule: first those that hold for every kind, then the kind's own."""
    fault = _op_fault(program, op, kinds.of(op.kind))
    if fault:
        raise ProgramError(f"op {index} {op.kind.name}: {fault}")


def _op_fault(program: Program, op: Op, kind: Kind) -> str | None:
    fault = _names_fault(program, op, kind)
    if fault:
        return fault
    case = _bare_case(program, op)
    return (
        _elements_fault(case, kind)
        or kind.fault(case)
        or _constants_fault(program, op, case, kind)
        or (kind.check_constants(case_of(program, op)) if kind.check_constants else None)
    )


def _bare_case(program: Program, op: Op) -> Case:
    """As `case_of`, without constants: these may not exist yet."""
    return Case(
        op.params,
        program.views[op.output],
        program.views[op.input],
        None if op.input2 is None else program.views[op.input2],
        None if op.accumulator is None else program.views[op.accumulator],
    )


def _names_fault(program: Program, op: Op, kind: Kind) -> str | None:
    """What is wrong with the op's parameters and views: missing, unknown, or not in the program; None if nothing."""
    names = {f.name for f in kind.record.fields}
    if set(op.params) != names:
        return f"its parameters differ from {kind.record.name}'s in {sorted(set(op.params) ^ names)}"
    views: list[tuple[str, int | None]] = [("output", op.output), ("input", op.input)]
    if (op.input2 is not None) != (kind.operands == 2):
        return "it has no second input" if op.input2 is None else "it has a second input and takes one"
    if (op.accumulator is not None) != (kind.feeds or kind.sums):
        return "it has no accumulator" if op.accumulator is None else "it has an accumulator and needs none"
    if op.input2 is not None:
        views.append(("second input", op.input2))
    if op.accumulator is not None:
        views.append(("accumulator", op.accumulator))
    for role, index in views:
        if index is None or not 0 <= index < len(program.views):
            return f"its {role} names view {index}, but there are {len(program.views)} views"
        in_constant = program.storages[program.views[index].storage].kind is StorageKind.CONSTANT
        if role in ("output", "accumulator") and in_constant:
            return f"its {role} lies in a constant"
    return None


def _elements_fault(case: Case, kind: Kind) -> str | None:
    sizes = [("output", case.output, kind.output_bytes), ("input", case.source, kind.input_bytes)]
    if case.second is not None:
        sizes.append(("second input", case.second, kind.input_bytes))
    if case.accumulator is not None:
        sizes.append(("accumulator", case.accumulator, (4,)))
    for role, view, allowed in sizes:
        if view.element_bytes not in allowed:
            return f"its {role} has elements of {view.element_bytes} bytes"
    return None


def _constants_fault(program: Program, op: Op, case: Case, kind: Kind) -> str | None:
    for constant in kind.constants:
        index = int(op.params[constant.field])
        if not 0 <= index < len(program.constants):
            return f"its {constant.field} names constant {index}, but there are {len(program.constants)}"
        held, needed = len(program.constants[index]), constant.length_bytes(case)
        if held != needed:
            return f"its {constant.field} needs {needed} bytes and names a constant of {held}"
    return None
