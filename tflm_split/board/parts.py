"""Which real parts are there to try a model on, and how much memory have they?

Flash and RAM are those of the manufacturer's data sheet that one linker region can hold: memory that code and data
cannot share with the rest (core-coupled, retention, DMA-only) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

_KB = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A microcontroller, or a module with its flash. `board` names the emulated board with the same core and compiler flags."""

    name: str
    board: str
    flash_bytes: int
    ram_bytes: int


PARTS = (
    Part("STM32F100 (VL Discovery)", "m3", 128 * _KB, 8 * _KB),
    Part("nRF51822 (micro:bit)", "m0", 256 * _KB, 16 * _KB),
    Part("STM32F103CB (Blue Pill)", "m3", 128 * _KB, 20 * _KB),
    Part("STM32F405", "m4", 1024 * _KB, 128 * _KB),
    Part("nRF52840", "m4", 1024 * _KB, 256 * _KB),
    Part("RP2040 (Pico)", "m0", 2048 * _KB, 256 * _KB),
    Part("ESP32-C3", "rv32imc", 4096 * _KB, 320 * _KB),
    Part("STM32H743", "m7", 2048 * _KB, 512 * _KB),
)
"""In the order of their RAM."""
