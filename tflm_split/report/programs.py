"""What do the programs of a split file do? Records and sentences for `tflm-split inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tflm_split.analysis.latency import predict
from tflm_split.analysis.made_for import made_for
from tflm_split.ir.graph import Model
from tflm_split.options import Options
from tflm_split.program.decode import decode
from tflm_split.program.in_model import split_operators_of
from tflm_split.program.sizes import program_bytes_without_constants
from tflm_split.report.command_records import InspectedProgram
from tflm_split.sizes import counted, format_bytes


def program_records(model: Model) -> list[InspectedProgram]:
    """A record for each TFLM_SPLIT operator of `model`, in the file's order. Raises ProgramError for a damaged program."""
    known = made_for(model)
    board = known or Options().board
    found: list[InspectedProgram] = []
    for op, blob in split_operators_of(model):
        program = decode(blob)
        size = program_bytes_without_constants(blob)
        found.append(
            {
                "operator": op.index,
                "kinds": dict(sorted(Counter(op.kind.name for op in program.ops).items())),
                "steps": len(program.steps),
                "moved_rows": len(program.moves),
                "calls": len(program.calls),
                "workspace_bytes": program.workspace_bytes,
                "state_bytes": program.state_bytes,
                "program_bytes": size,
                "constant_bytes": len(blob) - size,
                "made_for": known,
                "board": board,
                "predicted_instructions": predict(program, board).instructions,
            }
        )
    return found


def program_lines(records: Sequence[InspectedProgram]) -> Iterator[str]:
    """Two lines for each program."""
    for record in records:
        kinds = ", ".join(f"{count} {name}" for name, count in record["kinds"].items())
        ops = counted(sum(record["kinds"].values()), "operator")
        moved = f", and moves {counted(record['moved_rows'], 'row')} on the way" if record["moved_rows"] else ""
        calls = f", {record['calls']} calls per inference" if record["calls"] > 1 else ""
        kept = f", {format_bytes(record['state_bytes'])} that last from run to run" if record["state_bytes"] else ""
        yield (
            f"op {record['operator']} TFLM_SPLIT runs {ops} in {counted(record['steps'], 'step')}{moved}{calls}: {kinds}."
        )
        yield (
            f"  It needs {format_bytes(record['workspace_bytes'])} of the head{kept}, a program of "
            f"{format_bytes(record['program_bytes'])} and {format_bytes(record['constant_bytes'])} of constants in flash; "
            f"{record['predicted_instructions']:,} instructions per inference on {record['board']}, predicted"
            + (f"; its plan was made for {record['made_for']}." if record["made_for"] else ".")
        )
