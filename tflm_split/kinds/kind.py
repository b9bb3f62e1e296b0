"""What is there to know about a kind of op? One value of `Kind` per kind, for the compiler and for the C runtime.

A `Kind` says how its parameters lie in the program, which constants they name and how long these are. It says which views
an op has, which rows a step reads, which values are refused, and whether the output row may be made in place.
`generate.py` makes the structs, limits and tables of the C side from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from tflm_split.errors import ProgramError
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
    """One op, in the form that its kind's rules check. `second` and `accumulator` are None where the kind has none.

    `constants`: field -> the bytes it names. It is empty until their lengths have been checked.
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


Check = Callable[[Case], str | None]
"""Says what is wrong with an op, as words that follow the op's name; None when nothing is."""


class Row(NamedTuple):
    """A row that a step reads: row `row` of the view of operand 0 or 1."""

    operand: int
    row: int


@dataclass(frozen=True, slots=True)
class Reads:
    """Which rows a step reads.

    `rows(case, row)` gives those of the step that makes row `row`. The C function `split_reads_<c_name>` checks that they
    have addresses. Where steps read many rows in common, checking them in each step would take steps x rows: `of_op(case)` are
    then the rows that are checked once, by `split_check_<c_check>`, and `of_step(case, row)` those that each step still checks.
    """

    c_name: str
    rows: Callable[[Case, int], Iterable[Row]]
    of_op: Callable[[Case], Iterable[Row]] | None = None
    of_step: Callable[[Case, int], Iterable[Row]] | None = None

    def checked_once(self, case: Case) -> Iterable[Row]:
        """Rows that must have addresses, whichever steps the op has."""
        return self.of_op(case) if self.of_op else ()

    def checked_per_step(self, case: Case, row: int) -> Iterable[Row]:
        """Rows that must have addresses if the op has a step that makes row `row`."""
        return self.of_step(case, row) if self.of_step else self.rows(case, row)


@dataclass(frozen=True, slots=True)
class Constant:
    """A parameter that names constant bytes. `field` holds their blob offset, or in Python their index in the program.

    Their length is never stored: `length_bytes` computes it.
    """

    field: str
    alignment: int
    length_bytes: Callable[[Case], int]


class Accumulator(Enum):
    """Where an op of the kind adds up."""

    NONE = 0
    FEED = 1
    """In one row. Input rows are added one by one, and the last one makes the output."""
    SUMS = 2
    """In one row per output row, shared with other ops that each add their part."""


class InPlace(Enum):
    """May the output row be made in place, on rows that its step reads? (The kernels' promise in `split_nn.h`.)"""

    APART = 0
    """No: it must lie apart from all of them."""
    SAME_ROW = 1
    """Yes, at the very address of the row it reads (rule 2)."""
    IN_ORDER = 2
    """Yes, on bytes that only earlier pixels read: pixels are made in increasing order (rule 1)."""
    CHANNEL_WISE = 3
    """As IN_ORDER. Where the window is one column, also at the very address of one of the rows it reads (rule 3)."""


class Channels(Enum):
    """What does an op need when its output is cut along channels?"""

    NONE = 0
    """Its output cannot be cut along channels."""
    FILTERS = 1
    """A group of output channels needs its own filters and the whole input."""
    SAME = 2
    """Channel c of the output needs channel c of each operand."""


@dataclass(frozen=True, slots=True)
class Kind:
    """All that is known of a kind. Its number is its place in the list of kinds (`table.py`).

    `c_check` and `c_run` name the C functions `split_check_<c_check>` and `split_run_<c_run>`. `input_bytes` and
    `output_bytes` are the element sizes it accepts. `check` checks shapes and numbers, once each field is known to be in
    its range. `check_constants` checks what the named constants hold.
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
    dense: bool = False
    """Whether its views must have no gaps between pixels."""
    fetches: bool = False
    """Whether its input holds only the rows of one call, of which each is taken in once (a streamed program)."""
    emits: bool = False
    """Whether its output holds only the rows of one call, of which each is handed over once. A step takes in one input row."""

    @property
    def feeds(self) -> bool:
        """Whether a step takes in one input row, instead of making one output row."""
        return self.accumulator is Accumulator.FEED

    @property
    def steps_by_input(self) -> bool:
        """Whether it has a step per row of its input, instead of its output."""
        return self.feeds or self.emits

    def written_row(self, row: int, output_rows: int) -> int:
        """The output row that step `row` writes, or the one that a feed's last step does."""
        return 0 if self.feeds else row % output_rows if self.emits else row

    @property
    def sums(self) -> bool:
        """Whether a step adds to sums that several ops share."""
        return self.accumulator is Accumulator.SUMS

    @property
    def constant_fields(self) -> tuple[str, ...]:
        """The parameters that name a constant."""
        return tuple(constant.field for constant in self.constants)

    def constant_bytes(self, name: str, case: Case) -> int:
        """Length in bytes of the constant that field `name` names. Raises ProgramError when there are no groups."""
        if "groups" in case.params and case.params["groups"] < 1:
            raise ProgramError("a convolution has no groups")
        return next(c.length_bytes(case) for c in self.constants if c.field == name)

    def fault(self, case: Case) -> str | None:
        """What is wrong with the numbers and shapes of an op of this kind, or None. Constants are not looked at."""
        return _ranges_fault(case, self.record) or self.check(case)


_TYPE_RANGES: dict[str, tuple[float, float]] = {
    "uint8_t": (0, 2**8 - 1),
    "int16_t": (-(2**15), 2**15 - 1),
    "uint16_t": (0, 2**16 - 1),
    "int32_t": (-(2**31), 2**31 - 1),
    "uint32_t": (0, 2**32 - 1),
}


def _ranges_fault(case: Case, record: Record) -> str | None:
    """Refuse a number outside the range of its field or of its C type."""
    for field_ in record.fields:
        low, high = field_.range or _TYPE_RANGES.get(field_.ctype, (float("-inf"), float("inf")))
        value = case.params[field_.name]
        if field_.ctype != "float" and not low <= value <= high:
            return f"its {field_.name} is {value}"
    return None


def first_fault(*faults: str | None) -> str | None:
    """The first of `faults` that is not None."""
    return next((fault for fault in faults if fault), None)


def range_fault(what: str, value: float, low: float, high: float) -> str | None:
    """Refuse a value outside [low, high]. NaN lies outside of every range."""
    return None if low <= value <= high else f"its {what} is {value}"


def output_range_fault(
    case: Case, low: float, high: float, names: tuple[str, str] = ("output_min", "output_max")
) -> str | None:
    """Refuse limits that are not in order, or not within [low, high]."""
    least, most = (case.params[name] for name in names)
    return None if low <= least <= most <= high else f"its output range is {least} to {most}"


def same_shape_fault(case: Case) -> str | None:
    """Refuse an element-wise op whose input and output differ in shape."""
    if case.output.shape == case.source.shape:
        return None
    return f"its input of shape {list(case.source.shape)} is not {list(case.output.shape)} like its output"


def mode_fault(case: Case, known: Iterable[int]) -> str | None:
    """Refuse a mode that is not in `known`."""
    return None if case.params["mode"] in set(known) else f"its mode is {case.params['mode']}"


def flags_fault(case: Case, known: int) -> str | None:
    """Refuse flags with other bits than those of `known`."""
    flags = case.number("flags")
    return f"its flags are {flags:#x}" if flags & ~known else None
