"""Is a program with one flipped bit refused, or harmless? Sampled over real models.

`python scripts/fuzz_flips.py file.tflite ... [--flips 2000] [--seed 0]`. Each model is split, and its program's bits are flipped
one at a time, half of them in the part before the constants. The executor that runs on devices is asked to prepare what
comes of it. A flip that it accepts is harmless only if the program is as it was, and no more than "not checked". Prints a line
per model; exit code 1 if a flip was neither refused nor harmless. `tests/test_checksum.py` tries all bits of a small program.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from random import Random

import click
import numpy as np

import tflm_split
from tflm_split.errors import TflmSplitError
from tflm_split.native.build import host_library
from tflm_split.program.checksum import without_checksum
from tflm_split.program.in_model import programs_of
from tflm_split.program.sizes import program_bytes_without_constants
from tflm_split.tflite.reader import read_model


class Device:
    """The executor, compiled for this machine."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(host_library()), mode=ctypes.RTLD_GLOBAL)
        self._library.split_nn_prepare.argtypes = (ctypes.c_void_p, ctypes.c_size_t)

    def accepted(self, blob: bytes, bits: list[int]) -> list[int]:
        """Those of `bits` that may be flipped, one at a time, without the executor's refusing the program."""
        room = np.zeros(len(blob) + 16, np.uint8)
        start = -room.ctypes.data % 16
        program = room[start : start + len(blob)]
        program[:] = np.frombuffer(blob, np.uint8)
        found = []
        for bit in bits:
            program[bit // 8] ^= 1 << bit % 8
            if self._library.split_nn_prepare(program.ctypes.data, len(blob)) == 0:
                found.append(bit)
            program[bit // 8] ^= 1 << bit % 8
        if self._library.split_nn_prepare(program.ctypes.data, len(blob)) != 0:
            raise TflmSplitError("the executor refuses the program as it was made")
        return found


def sampled(blob: bytes, flips: int, random: Random) -> list[int]:
    """Bits of `blob`, half of them before the constants."""
    head = 8 * program_bytes_without_constants(blob)
    return [random.randrange(head if k % 2 else 8 * len(blob)) for k in range(flips)]


def harmless(blob: bytes, bit: int) -> bool:
    """Whether the program with that bit flipped is the same, only not checked."""
    changed = bytearray(blob)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed) == without_checksum(blob)


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--flips", default=2000, show_default=True, help="How many bits of each program.")
@click.option("--seed", default=0, show_default=True)
def main(models: tuple[Path, ...], flips: int, seed: int) -> None:
    """Flip bits of the programs of MODELS."""
    device, bad, tried = Device(), 0, 0
    for path in models:
        try:
            blobs = programs_of(read_model(tflm_split.optimize(path, effort="low", verify=False).model)).values()
        except TflmSplitError as error:
            click.echo(f"{path.stem}: {error}", err=True)
            continue
        random = Random(f"{seed} {path.stem}")
        for blob in blobs:
            accepted = device.accepted(blob, sampled(blob, flips, random))
            wrong = [bit for bit in accepted if not harmless(blob, bit)]
            tried, bad = tried + flips, bad + len(wrong)
            words = f"{flips} flips of {len(blob):,} B, {flips - len(accepted)} refused, {len(accepted) - len(wrong)} harmless"
            click.echo(f"{path.stem}: {words}, {len(wrong)} accepted")
    click.echo(f"{tried:,} flips, {bad} of which ran altered")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
