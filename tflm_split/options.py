"""What may a user ask for? Every option is declared here, once: its type, default, range, unit and help.

Four things are made from `Options`: the options of the commands (`terminal/options.py`), the parameters of
`tflm_split.optimize` and `tflm_split.pareto` with their checks, the record's part about options, and the table in
docs/commands.md (`scripts/write_docs.py`). `FrontWords` and `Words` repeat the names for type checkers, which cannot derive them. A
test compares them with `Options`.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import Any, TypedDict

from tflm_split.analysis.boards import DEFAULT_BOARD, is_arm, measured_boards
from tflm_split.errors import InputError
from tflm_split.memories import MEMORY_HELP, Memories, parse_memories
from tflm_split.plan.effort import DEFAULT_EFFORT, EFFORT_HELP, parse_effort
from tflm_split.sizes import SIZE_HELP, parse_bytes
from tflm_split.split.axes.allowed import ALL_AXES, AXES, AXES_HELP, parse_axes

SPLIT, STOCK = TARGETS = ("split", "stock")
"""What a result is made of."""
REFERENCE, CMSIS_NN, ESP_NN, ESP_NN_S3 = KERNELS = ("reference", "cmsis-nn", "esp-nn", "esp-nn-s3")
"""The kernels whose requests are known (`analysis/kernel_sets.py`)."""
DEFAULT_SLOWDOWN = 1.05
"""How much slower than rows alone a plan may be, by predicted instructions.

Only above this default may multiply-accumulates be done twice."""
STREAMED_SLOWDOWN = 1.035
"""The default for streamed inputs, of what stock TFLM takes. Most streamed models take less than 2 % more than unstreamed then."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The values that an option takes.

    `parse(name, value)` gives the checked value of the option called `name`, or raises InputError. `from_text` converts a
    word on the command line first. Where it raises ValueError, `parse` gets the word itself, and refuses it.
    """

    range: str
    parse: Callable[[str, Any], Any]
    from_text: Callable[[str], Any] = str
    metavar: str | None = None
    bare: str | None = None
    """The word on the command line that stands for the option's bare name; None where it needs a value."""


def _yes_or_no(name: str, value: Any) -> bool:
    if not isinstance(value, Integral) or value not in (0, 1):
        raise InputError(f"{name} is {value!r}, needs True or False")
    return bool(value)


def _whole_from(least: int) -> Kind:
    def parse(name: str, value: Any) -> int:
        if not isinstance(value, Integral) or value < least:
            raise InputError(f"{name} is {value!r}, needs a whole number from {least} on")
        return int(value)

    return Kind(f"{least} or more", parse, int, "NUMBER")


def _rows_of_call(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or value < 0:
        raise InputError(f"{name} is {value!r}, needs a whole number of rows, or True for one row")
    return int(value)


def _inputs(name: str, value: Any) -> int | str:
    """A number of inputs, or the path of a .npz file with some."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    if isinstance(value, (str, os.PathLike)) and str(value).endswith(".npz"):
        return str(value)
    raise InputError(f"{name} is {value!r}, needs a whole number from 1 on, or a .npz file with inputs")


def _factor(name: str, value: Any) -> float:
    if not isinstance(value, Real) or not 1 <= float(value) < math.inf:
        raise InputError(f"{name} is {value!r}, needs a number from 1 on")
    return float(value)


def _factor_or_none(name: str, value: Any) -> float | None:
    return None if value is None else _factor(name, value)


def _board(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} is {value!r}, needs a name")
    if value not in measured_boards():
        raise InputError(
            f"there are no instruction counts for a board {value!r}; there are for: {', '.join(measured_boards())}"
        )
    return value


def _one_of(words: tuple[str, ...]) -> Callable[[str, Any], str | None]:
    def parse(name: str, value: Any) -> str | None:
        if value is not None and value not in words:
            raise InputError(f"{name} is {value!r}, needs one of: {', '.join(words)}")
        return None if value is None else str(value)

    return parse


def _effort(name: str, value: Any) -> int:
    if not isinstance(value, (str, Integral)):
        raise InputError(f"{name} is {value!r}, needs a whole number or a word")
    return parse_effort(value if isinstance(value, str) else int(value))


def _size_or_none(name: str, value: Any) -> int | None:
    return None if value is None else parse_bytes(value)


def _memories(name: str, value: Any) -> str | None:
    """Two memories, in one spelling."""
    return None if value is None else str(parse_memories(value))


INPUTS = Kind("1 or more, or FILE.npz", _inputs, int, "NUMBER|FILE")
FLAG = Kind("", _yes_or_no)
ROWS_OF_SLIDE = Kind(
    "1 or more; rows are indices of the input's first axis of several", _whole_from(0).parse, int, "ROWS"
)
ROWS_OF_CALL = Kind("rows of a call, 1 if none are named", _rows_of_call, int, "[=ROWS]", bare="1")
SIZE = Kind(SIZE_HELP, _size_or_none, metavar="SIZE")
MEMORY = Kind(MEMORY_HELP, _memories, metavar="SIZES")
EFFORT = Kind(EFFORT_HELP, _effort, metavar="EFFORT")
BOARD = Kind(", ".join(measured_boards()), _board, metavar="BOARD")
FACTOR = Kind("1 or more", _factor_or_none, float, "FACTOR")
TARGET = Kind(", ".join(TARGETS), _one_of(TARGETS), metavar="TARGET")
KERNEL_SETS = Kind(", ".join(KERNELS), _one_of(KERNELS), metavar="KERNELS")
SOME_AXES = Kind(AXES_HELP, lambda _, value: parse_axes(value), metavar="AXES")


@dataclass(frozen=True, slots=True)
class About:
    """What is declared of an option.

    `word` is its name in Python, where that differs from the field's. `flag` is its name in the commands, where that
    differs from the word. `default_text` is its default for readers, where the value says little. `front_default` replaces
    the default for a Pareto front; `in_front` says whether a front takes the option at all.
    """

    kind: Kind
    help: str
    unit: str = ""
    word: str = ""
    flag: str = ""
    default_text: str = ""
    front_default: Any = None
    in_front: bool = True


def _option(default: Any, about: About) -> Any:
    return dataclasses.field(default=default, metadata={"about": about})


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asks for. A field accepts whatever its kind parses (`effort="high"`), and holds the parsed value.

    Raises InputError, with one sentence, for any other value.
    """

    int8_io: bool = _option(
        False,
        About(FLAG, "Strip float conversions at inputs and outputs: the interface changes, and the record says how."),
    )
    stream_input: int = _option(
        0,
        About(
            ROWS_OF_CALL,
            "Take the largest input a few rows at a time, one call after the other, and never hold all of it: the "
            "interface changes, and the record says how.",
            unit="rows", default_text="no: the whole input is there at once",
        ),
    )  # fmt: skip
    stream_output: int = _option(
        0,
        About(
            ROWS_OF_CALL,
            "Hand over the largest output a few rows at a time, and never hold all of it: the interface changes, and the "
            "record says how.",
            unit="rows", default_text="no: the whole output is there at the end",
        ),
    )  # fmt: skip
    uint8_pixels: bool = _option(
        False,
        About(FLAG, "Take streamed rows as pixels from 0 to 255, for a model whose int8 input is pixels less 128."),
    )
    reuse_window: int = _option(
        0,
        About(
            ROWS_OF_SLIDE,
            "Each input is the one before, moved on by so many rows: what both have in common is remembered and not computed "
            "again. Results are right after a few inferences, which the record counts.",
            unit="rows", default_text="no: each input is another one", in_front=False,
        ),
    )  # fmt: skip
    max_arena_bytes: int | None = _option(
        None,
        About(
            SIZE,
            "The arena the device has, compared with the arena to set aside predicted for a 32-bit Arm. Of the results "
            "that fit, the fastest is taken.",
            unit="bytes", word="max_arena", default_text="no limit", in_front=False,
        ),
    )  # fmt: skip
    memory: str | None = _option(
        None,
        About(
            MEMORY,
            "Two memories of the device. What steps touch least, per byte, lies in the slow one; the arena, and all of it that "
            "must, in the fast one. Both take at most a tenth more than one would, or `total`.",
            unit="bytes", default_text="one memory", in_front=False,
        ),
    )  # fmt: skip
    verify: bool = _option(
        True,
        About(
            FLAG, "Compare the result with the original in TFLM.", flag="--no-verify",
            default_text="yes",
        ),
    )  # fmt: skip
    inputs: int | str = _option(
        8,
        About(
            INPUTS,
            "On how many inputs to verify, or a .npz file with your own: an array per input, [samples, ...], called as the "
            "input or by its position. A network that remembers is verified on 64 in a row, unless another number is given.",
        ),
    )
    seed: int = _option(0, About(_whole_from(0), "What those inputs are made from: same seed, same inputs."))
    effort: int = _option(
        DEFAULT_EFFORT,
        About(EFFORT, "How much the search may look at; a count, never a time.", default_text="default"),
    )
    board: str = _option(
        DEFAULT_BOARD, About(BOARD, "The board to predict instructions for; the limit on slowdown counts in them.")
    )
    max_slowdown: float = _option(
        None,
        About(
            FACTOR,
            "How much slower than rows alone a result may be: with 1.05 by a twentieth of what stock TFLM takes (or rows "
            f"alone, if that is more); above {DEFAULT_SLOWDOWN} multiply-accumulates may be done twice.",
            unit="times", default_text=f"{DEFAULT_SLOWDOWN}; {STREAMED_SLOWDOWN} for a streamed input", front_default=2.0,
        ),
    )  # fmt: skip
    target: str = _option(
        SPLIT,
        About(
            TARGET,
            "What the firmware can have: `split` needs the TFLM_SPLIT operator; `stock` is a plan alone (another order of "
            "operators, shared bytes, exact addresses) that every TFLM since 2023 follows.",
            in_front=False,
        ),
    )
    kernels: str = _option(
        None,
        About(
            KERNEL_SETS,
            "The kernels that the firmware links: what they ask for, and where an output may lie on an input, depends on them. "
            "A plan alone that is made for `reference` gives wrong results with others.",
            default_text="reference; for the target stock cmsis-nn or, on RISC-V, esp-nn, whose plans are right with both",
            in_front=False,
        ),
    )
    axes: frozenset[str] = _option(
        ALL_AXES, About(SOME_AXES, "What tensors may be cut along.", default_text=",".join(AXES))
    )

    def __post_init__(self) -> None:
        for option in declared():
            value = option.about.kind.parse(option.word, getattr(self, option.field))
            object.__setattr__(self, option.field, value)
        needing = ("int8_io", "stream_input", "stream_output", "reuse_window", "memory")
        unwanted = next((word for word in needing if getattr(self, word)), None)
        if self.target == STOCK and unwanted:
            raise InputError(f"{unwanted} needs the operator TFLM_SPLIT, and the target stock has none; leave one out")
        streamed = next((word for word in ("stream_input", "stream_output") if getattr(self, word)), None)
        if self.reuse_window and streamed:
            raise InputError(f"{streamed} never holds the window that reuse_window slides; leave one out")
        alone = next(
            (w for w in ("stream_input", "stream_output", "reuse_window", "max_arena_bytes") if getattr(self, w)), None
        )
        if self.memory and alone:
            word = alone.removesuffix("_bytes")
            why = (
                "the fast memory is the limit"
                if word == "max_arena"
                else "two memories are for networks of one call that remember nothing"
            )
            raise InputError(f"{word} does not go with memory: {why}; leave one out")
        if self.kernels is None:
            optimized = CMSIS_NN if is_arm(self.board) else ESP_NN
            object.__setattr__(self, "kernels", optimized if self.target == STOCK else REFERENCE)
        if self.max_slowdown is None:
            object.__setattr__(
                self, "max_slowdown", STREAMED_SLOWDOWN if self.stream_input or self.stream_output else DEFAULT_SLOWDOWN
            )

    @property
    def memories(self) -> Memories | None:
        """The two memories; None where there is one."""
        return None if self.memory is None else parse_memories(self.memory)

    def record(self) -> dict[str, Any]:
        """The options as JSON values, by field."""
        values = {option.field: getattr(self, option.field) for option in declared()}
        return {**values, "axes": [axis for axis in AXES if axis in self.axes]}


@dataclass(frozen=True, slots=True)
class Declared:
    """One option: its field of `Options`, its default, and what is declared about it."""

    field: str
    default: Any
    about: About

    @property
    def word(self) -> str:
        """Its name in Python."""
        return self.about.word or self.field

    @property
    def flag(self) -> str:
        """Its name in the commands."""
        return self.about.flag or f"--{self.word.replace('_', '-')}"

    @property
    def default_text(self) -> str:
        """Its default, for people."""
        return self.about.default_text or ("no" if self.default is False else str(self.default))

    def default_of(self, *, front: bool) -> Any:
        """Its default, for one result or for a Pareto front."""
        return self.about.front_default if front and self.about.front_default is not None else self.default


@cache
def declared() -> tuple[Declared, ...]:
    """All options, in the order in which people read them."""
    return tuple(Declared(f.name, f.default, f.metadata["about"]) for f in dataclasses.fields(Options))


def taken(*, front: bool) -> tuple[Declared, ...]:
    """The options of one result, or of a Pareto front."""
    return tuple(option for option in declared() if option.about.in_front or not front)


DEFAULTS = Options()
"""The options when the user gives none."""


class FrontWords(TypedDict, total=False):
    """The named parameters of `tflm_split.pareto`. None is the same as leaving one out."""

    int8_io: bool
    stream_input: int | bool
    stream_output: int | bool
    uint8_pixels: bool
    verify: bool
    inputs: int | os.PathLike[str] | str
    seed: int
    effort: int | str | None
    board: str | None
    max_slowdown: float | None
    axes: str | Iterable[str] | None


class Words(FrontWords, total=False):
    """The named parameters of `tflm_split.optimize`. None is the same as leaving one out."""

    reuse_window: int | None
    max_arena: int | str | None
    memory: str | Mapping[str, int | str] | None
    target: str | None
    kernels: str | None


def options_from(words: Mapping[str, Any], *, front: bool = False) -> Options:
    """The options with these values, by word. One that is None or missing has its default (with `front`, that of fronts).

    Raises InputError for a value that an option cannot take, TypeError for a word that is no option.
    """
    known = {option.word: option for option in taken(front=front)}
    for word in words:
        if word not in known:
            raise TypeError(f"there is no option {word!r}, only {', '.join(known)}")
    values = {option.field: option.default_of(front=front) for option in known.values()}
    values.update({known[word].field: value for word, value in words.items() if value is not None})
    return Options(**values)


def _shown_default(option: Declared, front: bool) -> Any:
    """The default that a signature shows: what a None becomes, unless another option changes that."""
    default = option.default_of(front=front)
    return getattr(DEFAULTS, option.field) if default is None else default


def documented(function: Callable[..., Any], *, front: bool = False) -> None:
    """Give a function that takes `**options` the signature and the help texts that `Options` declares."""
    signature = inspect.signature(function)
    fixed = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    hints = {**FrontWords.__annotations__, **Words.__annotations__}
    added = [
        inspect.Parameter(
            option.word,
            inspect.Parameter.KEYWORD_ONLY,
            default=_shown_default(option, front),
            annotation=hints[option.word].__forward_arg__,
        )
        for option in taken(front=front)
    ]
    function.__signature__ = signature.replace(parameters=[*fixed, *added])  # type: ignore[attr-defined]
    if function.__doc__:
        lines = [f"{option.word}: {option.about.help}" for option in taken(front=front)]
        function.__doc__ = inspect.cleandoc(function.__doc__) + "\n\nOptions:\n\n" + "\n".join(lines) + "\n"
