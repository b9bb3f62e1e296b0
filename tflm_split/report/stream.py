"""What does a streamed model take: how many rows are kept, and how often may they come?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflm_split.analysis.line_time import FIFO_LINES, busiest_call, line_time, work_of_lines
from tflm_split.errors import InternalError
from tflm_split.ir.graph import Graph
from tflm_split.lower.compile import Plan
from tflm_split.program.types import Program
from tflm_split.report.record_types import StreamedOutputRecord, StreamRecord
from tflm_split.rewrite.stream_input import StreamedInput
from tflm_split.rewrite.stream_output import StreamedOutput
from tflm_split.schedule.lives import lives


def stream_record(stream: StreamedInput | None, plan: Plan | None, board: str) -> StreamRecord | None:
    """The part of the record about a streamed input. Line times are in predicted instructions on `board`."""
    if stream is None:
        return None
    graph, program = _streamed(plan)
    work = work_of_lines(program, board)
    tensor = graph.tensors[stream.tensor]
    return {
        "input": stream.position,
        "rows": stream.rows,
        "row_bytes": stream.whole.row_bytes,
        "rows_per_call": stream.rows_per_call,
        "calls": stream.calls,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "rows_held": _rows_held(plan) if plan else 0,
        "busiest_call": busiest_call(work),
        "predicted_last_call_instructions": work[-1],
        "line_times": [{"fifo": n, "predicted_instructions": line_time(work, n)} for n in FIFO_LINES],
        "sentence": stream.sentence(graph),
    }


def output_record(stream: StreamedOutput | None, plan: Plan | None) -> StreamedOutputRecord | None:
    """The part of the record about a streamed output."""
    if stream is None:
        return None
    graph, program = _streamed(plan)
    tensor = graph.tensors[stream.tensor]
    return {
        "output": stream.position,
        "rows": stream.whole.rows,
        "row_bytes": stream.whole.row_bytes,
        "rows_per_call": stream.rows_per_call,
        "calls": len(program.calls),
        "first_call": program.gives.index(True),
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "sentence": stream.sentence(graph),
    }


def _streamed(plan: Plan | None) -> tuple[Graph, Program]:
    if plan is None or len(plan.regions) != 1:
        raise InternalError("a streamed model is not one region")
    return plan.split.graph, plan.regions[0].program


def output_sentence(stream: StreamedOutputRecord) -> str:
    """The same for people."""
    return (
        f"One inference takes {stream['calls']} calls. The first of the output's {stream['rows']} rows are there after call "
        f"{stream['first_call']}, counted from 0."
    )


def stream_sentences(stream: StreamRecord, board: str) -> Iterator[str]:
    """The same for people."""
    first, *others = stream["line_times"]
    each = "line" if stream["rows_per_call"] == 1 else f"{stream['rows_per_call']} lines"
    yield (
        f"Of the input's {stream['rows']} rows at most {stream['rows_held']} are kept at once. On board {board} a new {each} "
        f"may come every {first['predicted_instructions']:,} instructions (call {stream['busiest_call']} takes longest); "
        + ", ".join(f"with a queue of {t['fifo']} every {t['predicted_instructions']:,}" for t in others)
        + f". After the last one, {stream['predicted_last_call_instructions']:,} are left to do."
    )


def _rows_held(plan: Plan) -> int:
    """The most rows of the streamed tensor that are alive in one step."""
    fetch = next(op for op in plan.split.row_ops if op.fetches)
    storage = plan.split.storages.storage_of[fetch.output]
    change = np.zeros(len(plan.schedule.steps) + 1, np.int64)
    for p, (start, stop) in lives(plan.step_graph, plan.schedule.steps).items():
        if plan.step_graph.pieces[p].storage == storage:
            change[start] += 1
            change[stop] -= 1
    return int(np.cumsum(change).max())
