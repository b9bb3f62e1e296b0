"""Which kernels does a firmware link, and what do they ask TFLM for?

The reference kernels are those of the pinned wheel, compiled for a 32-bit core, Arm or RISC-V. CMSIS-NN's ask for more scratch,
which depends on the core, and so do ESP-NN's on an ESP32-S3. All sizes are those of 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from tflm_split.analysis.boards import is_arm
from tflm_split.analysis.cmsis_nn import (
    CMSIS_NN_OPERATOR_BYTES,
    Core,
    cmsis_nn_kept,
    cmsis_nn_refuses,
    cmsis_nn_scratch,
)
from tflm_split.analysis.esp_nn import ESP_NN_OPERATOR_BYTES, esp_nn_scratch
from tflm_split.analysis.latency import board_costs
from tflm_split.analysis.scratch import scratch_bytes
from tflm_split.analysis.tflm_head import scratch_of
from tflm_split.analysis.tflm_planner import Scratch
from tflm_split.analysis.tflm_sizes import ARM32_OPERATOR_BYTES, RISCV32_OPERATOR_BYTES, OperatorBytes
from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Model, Operator

_POINTER_BYTES = 4


@dataclass(frozen=True, slots=True)
class KernelSet:
    """The kernels of one build of TFLM.

    `operators` says what each kernel keeps in the tail, `kept` what it adds while it prepares. `own_scratch` gives the
    scratch of the kinds in which it differs from the reference kernels, None for all others. `refuses` says why a kernel
    would not prepare an operator that the reference kernels take.
    """

    name: str
    operators: Mapping[str, OperatorBytes]
    own_scratch: Callable[[Graph, Operator], tuple[int, ...] | None]
    kept: Callable[[Graph, Operator], tuple[int, ...]]
    refuses: Callable[[Graph, Operator], str | None]
    float_multipliers: bool = True
    """Whether convolutions of float32 keep multipliers per channel, too, which nobody reads."""
    tensor_bytes: int = 32
    """sizeof TfLiteTensor."""

    def bytes_of(self, graph: Graph, op: Operator) -> OperatorBytes:
        """What the kernel of an operator keeps in the tail: the reference kernel, where these do not take it."""
        operators = ARM32_OPERATOR_BYTES if self.refuses(graph, op) else self.operators
        return operators.get(op.kind, OperatorBytes())

    def scratch(self, model: Model) -> Scratch:
        """The scratch of each operator of `model`, in bytes, in the order of its kernel's requests."""
        reference = scratch_of(model)

        def scratch(graph: Graph, op: Operator) -> tuple[int, ...]:
            try:
                own = self.own_scratch(graph, op)
            except IndexError:
                return ()
            return tuple(reference(graph, op)) if own is None else own

        return scratch


def _reference_scratch(graph: Graph, op: Operator) -> tuple[int, ...] | None:
    """On 32 bits, ADD_N's table of pointers is half as large as in the wheel."""
    return (_POINTER_BYTES * len(op.inputs),) if op.kind == "ADD_N" and scratch_bytes(graph, op) else None


def _nothing(graph: Graph, op: Operator) -> tuple[int, ...]:
    return ()


def _takes_all(graph: Graph, op: Operator) -> str | None:
    return None


REFERENCE = KernelSet("reference", ARM32_OPERATOR_BYTES, _reference_scratch, _nothing, _takes_all)
_REFERENCE_RISCV32 = replace(REFERENCE, operators=RISCV32_OPERATOR_BYTES, tensor_bytes=40)


def _cmsis_nn(core: Core) -> KernelSet:
    def scratch(graph: Graph, op: Operator) -> tuple[int, ...] | None:
        own = None if cmsis_nn_refuses(graph, op) else cmsis_nn_scratch(graph, op, core)
        return _reference_scratch(graph, op) if own is None else own

    kept = partial(_kept, core)
    return KernelSet("cmsis-nn", CMSIS_NN_OPERATOR_BYTES, scratch, kept, cmsis_nn_refuses, float_multipliers=False)


def _kept(core: Core, graph: Graph, op: Operator) -> tuple[int, ...]:
    try:
        return () if cmsis_nn_refuses(graph, op) else cmsis_nn_kept(graph, op, core)
    except IndexError:
        return ()


def _esp_nn(name: str, s3: bool) -> KernelSet:
    def scratch(graph: Graph, op: Operator) -> tuple[int, ...] | None:
        own = esp_nn_scratch(graph, op, s3)
        return _reference_scratch(graph, op) if own is None else own

    return replace(_REFERENCE_RISCV32, name=name, operators=ESP_NN_OPERATOR_BYTES, own_scratch=scratch)


_ESP_NN = {"esp-nn": _esp_nn("esp-nn", s3=False), "esp-nn-s3": _esp_nn("esp-nn-s3", s3=True)}
KERNELS = ("reference", "cmsis-nn", *_ESP_NN)
"""The kernel sets whose scratch is known."""
_CORES: Mapping[str, Core] = {"portable": "plain", "dsp": "dsp", "mve": "mve"}
"""By the set of our own kernels that a board runs (`latency.py`), which its core decides, too."""


def kernel_set(name: str, board: str) -> KernelSet:
    """The kernels called `name` on the core of `board`. Raises InputError for other names and boards.

    Xtensa cores lay out structs as RISC-V cores do, so boards with these stand for all of Espressif's chips.
    """
    if name == "reference":
        return REFERENCE if is_arm(board) else _REFERENCE_RISCV32
    if name not in KERNELS:
        raise InputError(f"there are no kernels {name!r}; there are: {', '.join(KERNELS)}")
    if name in _ESP_NN:
        if is_arm(board):
            raise InputError(f"ESP-NN is for Espressif's chips, and the board {board!r} is an Arm; add --board rv32imc")
        return _ESP_NN[name]
    if not is_arm(board):
        raise InputError(f"CMSIS-NN is for Arm cores, and the board {board!r} has none; choose the kernels 'reference'")
    return _cmsis_nn(_CORES[board_costs(board).kernels])
