"""What is there to know about a kind of op? One value per kind: everything else asks it, the C runtime included.

`Kind` says how the kind's parameters lie in the program, which constants they name and how long these are, which views an
op of the kind has, which rows a step reads, which values are refused, and what the output row may lie on. `generate.py`
makes the C side's structs, limits and tables of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from tflm_split.errors import ProgramError
from tflm_split.kinds.modes import WeightFlags
from tflm_split.kinds.record import Record
from tflm_split.kinds.view import View

Params = Mapping[str, int | float]
"""The fields of a kind's record by name."""

INT8 = (1,)
INT16 = (2,)
FLOAT = (4,)
ANY = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Case:
    """One op as its kind's rules look at it. `second` and `accumulator` are None where the kind has none.

    `constants` are the bytes that parameters name, by field; empty until their lengths are known to be right.
    """

    params: Params
    output: View
    source: View
    second: View | None = None
    accumulator: View | None = None
    constants: Mapping[str, bytes] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """An integer parameter."""
        return int(self.params[name])

    @property
    def operands(self) -> tuple[View, ...]:
        return (self.source,) if self.second is None else (self.source, self.second)

    @property
    def scalings(self) -> int:
        """How many multipliers and shifts there are."""
        per_channel = int(self.params.get("flags", 0)) & WeightFlags.PER_CHANNEL
        return self.output.channel_count if per_channel else 1


Check = Callable[[Case], str | None]
"""What is wrong with an op, as words that follow the op's name; None when nothing is."""


class Row(NamedTuple):
    """A row that a step reads: of operand 0 or 1, counted within the operand's view."""

    operand: int
    row: int


@dataclass(frozen=True, slots=True)
class Reads:
    """Which rows the step of row `row` reads; `c_name` is the C function that looks whether they have addresses."""

    c_name: str
    rows: Callable[[Case, int], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Constant:
    """A parameter that names bytes of the blob: `field` holds their offset there, their index in `Program.constants` here.

    The length is never stored: `length_bytes` works it out.
    """

    field: str
    alignment: int
    length_bytes: Callable[[Case], int]


class Accumulator(Enum):
    """What an op of the kind adds up in."""

    NONE = 0
    FEED = 1
    """One row, into which the rows of the input are taken one by one; the last one makes the output."""
    SUMS = 2
    """A row per output row, shared with other ops, each of which adds its part."""


class InPlace(Enum):
    """What the output row may lie on of the rows its step reads (the kernels' promise in `split_nn.h`)."""

    APART = 0
    """On none."""
    SAME_ROW = 1
    """On exactly the row it reads (rule 2)."""
    IN_ORDER = 2
    """On what only earlier pixels have read: pixels are made in increasing order (rule 1)."""
    CHANNEL_WISE = 3
    """As IN_ORDER; and where the window is one column, on exactly one of the rows it reads (rule 3)."""


class Channels(Enum):
    """What a cut along the output's channels does to an op of the kind."""

    NONE = 0
    """There is no such cut."""
    FILTERS = 1
    """A group of output channels has filters of its own and reads all of the input."""
    SAME = 2
    """Channel c of the output is made of channel c of each operand."""


@dataclass(frozen=True, slots=True)
class Kind:
    """All that is known of a kind; its number is its place in the list of all (`table.py`).

    `c_check` and `c_run` name the C functions `split_check_<c_check>` and `split_run_<c_run>`. `input_bytes` and
    `output_bytes` are the sizes an element may have. `check` looks at shapes and numbers after each field has been found
    within its range, `check_constants` at what the named constants hold.
    """

    name: str
    record: Record
    reads: Reads
    c_check: str
    c_run: str
    check: Check
    check_constants: Check | None = None
    constants: tuple[Constant, ...] = ()
    input_bytes: tuple[int, ...] = INT8
    output_bytes: tuple[int, ...] = INT8
    operands: int = 1
    accumulator: Accumulator = Accumulator.NONE
    in_place: InPlace = InPlace.APART
    channels: Channels = Channels.NONE
    multiplies_depth: bool = False
    """Whether `groups` is a depth multiplier: output channel c reads input channel c / groups."""

    @property
    def feeds(self) -> bool:
        return self.accumulator is Accumulator.FEED

    @property
    def sums(self) -> bool:
        return self.accumulator is Accumulator.SUMS

    @property
    def constant_fields(self) -> tuple[str, ...]:
        """The parameters that name a constant."""
        return tuple(constant.field for constant in self.constants)

    def constant_bytes(self, name: str, case: Case) -> int:
        """How long the constant named by `name` is; raises ProgramError when the parameters make no sense of it."""
        if "groups" in case.params and case.params["groups"] < 1:
            raise ProgramError("a convolution has no groups")
        return next(c.length_bytes(case) for c in self.constants if c.field == name)


def first_fault(*faults: str | None) -> str | None:
    """The first that is one."""
    return next((fault for fault in faults if fault), None)


def range_fault(what: str, value: float, low: float, high: float) -> str | None:
    """A value outside [low, high]; NaN lies outside of every range."""
    return None if low <= value <= high else f"its {what} is {value}"


def output_range_fault(
    case: Case, low: float, high: float, names: tuple[str, str] = ("output_min", "output_max")
) -> str | None:
    """Limits that do not lie in order within [low, high]."""
    least, most = (case.params[name] for name in names)
    return None if low <= least <= most <= high else f"its output range is {least} to {most}"


def same_shape_fault(case: Case) -> str | None:
    """An element-wise op whose operand is not shaped like its output."""
    if case.output.shape == case.source.shape:
        return None
    return f"its input of shape {list(case.source.shape)} is not {list(case.output.shape)} like its output"


def mode_fault(case: Case, known: Iterable[int]) -> str | None:
    """A mode that the kind does not have."""
    return None if case.params["mode"] in set(known) else f"its mode is {case.params['mode']}"


def flags_fault(case: Case, known: int) -> str | None:
    """Flags other than `known`."""
    flags = case.number("flags")
    return f"its flags are {flags:#x}" if flags & ~known else None
