"""Which boards can a model be tried on, and how is firmware compiled for each?

Their sources, linker scripts and timers are in `tflm_runtime_patch/boards/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tflm_split.board.toolchain import ARM, RISCV, Toolchain
from tflm_split.errors import InputError


@dataclass(frozen=True, slots=True)
class Board:
    """One board. `machine` is its name in QEMU. (`m0` is code for a Cortex-M0 on the Cortex-M3's machine, which runs it.)

    `folder`, in `tflm_runtime_patch/boards/`, holds `board.h` and `memory.ld`. `target_flags` are the core's own flags.
    """

    name: str
    core: str
    machine: str
    folder: str
    target_flags: tuple[str, ...]
    toolchain: Toolchain = ARM
    machine_flags: tuple[str, ...] = ()
    """More options of the emulator."""
    slow_origin: int | None = None
    """The address of its slow memory, where that is not the one in `memory.ld`."""

    @property
    def flags(self) -> tuple[str, ...]:
        """All that compiler and linker need to know of the core: its family's flags and its own."""
        return (*self.toolchain.flags, *self.target_flags)


_VIRT = ("-bios", "none", "-m", "8M")
_ALL = (
    Board("m0", "Cortex-M0", "mps2-an385", "mps2", ("-mcpu=cortex-m0", "-mfloat-abi=soft")),
    Board("m3", "Cortex-M3", "mps2-an385", "mps2", ("-mcpu=cortex-m3", "-mfloat-abi=soft")),
    Board("m4", "Cortex-M4F", "mps2-an386", "mps2", ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")),
    Board(
        "m7",
        "Cortex-M7F",
        "mps2-an500",
        "mps2",
        ("-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
        slow_origin=0x60000000,
    ),
    Board("m55", "Cortex-M55 with Helium", "mps3-an547", "mps3_an547", ("-mcpu=cortex-m55", "-mfloat-abi=hard")),
    Board(
        "netduinoplus2",
        "STM32F405 (Cortex-M4F, 1 MB flash, 128 KB SRAM)",
        "netduinoplus2",
        "netduinoplus2",
        ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
    ),
    Board(
        "microbit",
        "nRF51822 (Cortex-M0, 256 KB flash, 16 KB RAM)",
        "microbit",
        "microbit",
        ("-mcpu=cortex-m0", "-mfloat-abi=soft"),
    ),
    Board(
        "stm32vldiscovery",
        "STM32F100 (Cortex-M3, 128 KB flash, 8 KB RAM)",
        "stm32vldiscovery",
        "stm32vldiscovery",
        ("-mcpu=cortex-m3", "-mfloat-abi=soft"),
    ),
    Board(
        "rv32imc",
        "RISC-V RV32IMC, as in the ESP32-C3",
        "virt",
        "rv32",
        ("-march=rv32imc", "-mabi=ilp32"),
        RISCV,
        ("-cpu", "rv32,a=false,f=false,d=false", *_VIRT),
    ),
    Board(
        "rv32gc",
        "RISC-V RV32GC, with an FPU",
        "virt",
        "rv32",
        ("-march=rv32gc", "-mabi=ilp32d"),
        RISCV,
        ("-cpu", "rv32", *_VIRT),
    ),
)
BOARDS: Mapping[str, Board] = MappingProxyType({board.name: board for board in _ALL})


def board_named(name: str) -> Board:
    """The board with this name or this QEMU machine. Raises InputError, which lists all names, when there is none."""
    for board in _ALL:
        if name in (board.name, board.machine):
            return board
    raise InputError(f"there is no board {name!r}; there are: {', '.join(BOARDS)}")
