"""What does one step of a program work on? Its op's views, parameters and constants, and the rows as numbers.

`oracle.py` makes one `Operands` per step; the functions in `known/` read from it and return what the step writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tflm_split.program.types import Op, Program, View

Row = npt.NDArray[np.int64]
"""One row of a view as numbers: [columns, channels]."""

Floats = npt.NDArray[np.float32]


class Memory(Protocol):
    """Where the rows and constants of a running program lie."""

    @property
    def program(self) -> Program: ...

    def read(self, view: View, row: int) -> Row:
        """Row `row` of a view as int8, int16 or int32 numbers, by its element size."""
        ...

    def read_floats(self, view: View, row: int) -> Floats:
        """The same as float32."""
        ...

    def constant(self, index: int, dtype: type[np.generic]) -> npt.NDArray[np.int64]:
        """A constant's numbers, widened."""
        ...


class Operands:
    """What the step of row `row` of `op` sees. Rows count within the operands' views."""

    def __init__(self, memory: Memory, op: Op, row: int) -> None:
        self.op, self.row = op, row
        self._memory = memory

    @property
    def params(self) -> Mapping[str, int | float]:
        return self.op.params

    @cached_property
    def p(self) -> dict[str, int]:
        """The parameters that are integers."""
        return {name: int(value) for name, value in self.op.params.items() if not isinstance(value, float)}

    # Views.

    @property
    def program(self) -> Program:
        return self._memory.program

    @property
    def output(self) -> View:
        return self._memory.program.views[self.op.output]

    @property
    def source(self) -> View:
        return self._memory.program.views[self.op.input]

    @property
    def second(self) -> View:
        """The second operand."""
        assert self.op.input2 is not None
        return self._memory.program.views[self.op.input2]

    @property
    def is_last_row(self) -> bool:
        """Whether this step takes in the last row of its input."""
        return self.row == self.source.row_count - 1

    # Numbers.

    def read(self, row: int) -> Row:
        """A row of the input."""
        return self._memory.read(self.source, row)

    def read_second(self, row: int) -> Row:
        """A row of the second operand."""
        return self._memory.read(self.second, row)

    def read_floats(self, row: int) -> Floats:
        return self._memory.read_floats(self.source, row)

    def read_second_floats(self, row: int) -> Floats:
        return self._memory.read_floats(self.second, row)

    def held(self, row: int) -> Row:
        """A row of the accumulator, as the step before has left it."""
        return self._memory.read(self._accumulator, row)

    def held_floats(self, row: int) -> Floats:
        return self._memory.read_floats(self._accumulator, row)

    @property
    def _accumulator(self) -> View:
        assert self.op.accumulator is not None
        return self._memory.program.views[self.op.accumulator]

    # Constants, by the parameter that names them.

    def constant(self, name: str, dtype: type[np.generic]) -> npt.NDArray[np.int64]:
        """The constant's integers of type `dtype`."""
        return self._memory.constant(int(self.op.params[name]), dtype)

    def floats(self, name: str) -> Floats:
        return np.frombuffer(self._memory.program.constants[int(self.op.params[name])], np.float32)

    def int64s(self, name: str) -> npt.NDArray[np.int64]:
        """Int64s lie as halves, low first, which is how memory holds them."""
        return np.frombuffer(self._memory.program.constants[int(self.op.params[name])], "<i8").astype(np.int64)
