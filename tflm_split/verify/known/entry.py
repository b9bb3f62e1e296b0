"""What does verification know of a kind of op? One `Known` per kind, for the oracle and for the replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tflm_split.program.types import Op, Program
from tflm_split.verify.known.sharing import Shares
from tflm_split.verify.operands import Operands

Numbers = npt.NDArray[np.generic]
"""A row to write: integers of any width, of which memory keeps the low bytes, or float32."""


class Added(NamedTuple):
    """What a step with an accumulator writes: the sums, and the output row once they are complete."""

    sums: Numbers
    output: Numbers | None


Compute = Callable[[Operands], "Numbers | Added"]
"""The oracle's rule: one step, from what it reads to what it writes."""

Reads = Callable[[Program, Op, int], Iterator[tuple[int, int]]]
"""The replay's rule: (view index, row of that view) for each input row that the step of this row reads."""


@dataclass(frozen=True, slots=True)
class Sums:
    """How a kind takes part in sums that several ops add to, in the order in which the program lists these ops.

    `begins` says whether an op starts the sums instead of taking them up from the op before it; `completes` whether the
    kind's steps make the output rows of the sums.
    """

    begins: Callable[[Op], bool]
    completes: bool


@dataclass(frozen=True, slots=True)
class Known:
    """One kind. `shares` says what the output row may lie on of the rows its step reads.

    A kind that `feeds` takes in its input row by row, adds it to an accumulator of one row, and makes its output with
    the last. One that `fetches` reads rows that each call brings anew; one that `emits` takes in its
    input row by row, and its output holds the rows of one call. A kind with `sums` adds to the accumulator's row of
    the same number. An accumulator lies on no row that its step reads.
    """

    compute: Compute
    reads: Reads
    shares: Shares
    feeds: bool = False
    sums: Sums | None = None
    fetches: bool = False
    emits: bool = False
