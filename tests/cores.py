"""The cores that the C sources are compiled for, with the compiler and flags of each, and the levels of optimisation."""

from __future__ import annotations

from tflm_split.board.boards import BOARDS
from tflm_split.board.toolchain import ARM

XTENSA = "xtensa-lx106-elf-gcc"
CORES = {
    "m0+": (ARM.compiler, *ARM.flags, "-mcpu=cortex-m0plus", "-mfloat-abi=soft"),
    **{
        name: (BOARDS[name].toolchain.compiler, *BOARDS[name].flags)
        for name in ("m4", "m7", "m55", "rv32imc", "rv32gc")
    },
    "lx106": (XTENSA, "--specs=/usr/lib/xtensa-lx106-elf/picolibc.specs"),
}
"""The compiler and its flags. lx106 stands for Xtensa: Debian has its compiler, of an ESP8266."""
LEVELS = ("-O0", "-Og", "-Os", "-O2")
