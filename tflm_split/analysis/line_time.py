"""How often may a line come? The time between two lines that a streamed model can keep up with.

A camera does not wait. Line c comes at c line times, and waits in a queue (FIFO) until call c takes it. With a queue of n
lines, line c + n needs the place of line c, so call c must be done by then:

    time in line times    0     1     2     3     4     5
    lines come            0     1     2     3     4     5
    calls, n = 1          [0][1  ][2  ][3]  [4]            every call must be done before the next line comes
    calls, n = 2          [0][1      ][2 ][3][4]           call 1 may take longer, if those around it make up for it

Calls i to c take the sum of their work, and the first of them starts when line i comes. Therefore

    line time >= (work of calls i to c) / (c - i + n)       for all i <= c

What the last call does falls into the pause between two pictures: no line waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tflm_split.analysis.latency import predict_calls
from tflm_split.program.types import Program

FIFO_LINES = (1, 2, 4, 8)
"""Lengths of the queue that reports show."""


def work_of_lines(program: Program, board: str) -> tuple[int, ...]:
    """Predicted instructions of a streamed program from each call that takes rows up to the next one that does.

    Raises InputError for a board that was not measured.
    """
    work = predict_calls(program, board)
    starts = [call for call, takes in enumerate(program.takes) if takes]
    return tuple(sum(work[a:b]) for a, b in pairwise((*starts, len(work))))


def line_time(work: Sequence[int], fifo: int = 1) -> int:
    """The least time between two calls' lines, in the unit of `work` (instructions of each call), rounded up.

    `fifo` is how many calls' lines can wait, the one that is being taken in counted.
    """
    total = np.concatenate(([0], np.cumsum(np.asarray(work[:-1], np.int64))))
    least = 0
    for first in range(len(work) - 1):
        sums = total[first + 1 :] - total[first]
        times = -(-sums // (np.arange(len(sums)) + fifo))
        least = max(least, int(times.max(initial=0)))
    return least


def busiest_call(work: Sequence[int]) -> int:
    """The call that takes longest, the last one left out; the first of equals."""
    return int(np.argmax(np.asarray(work[:-1])))
