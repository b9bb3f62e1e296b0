"""On which real parts does a model fit, stock and split?

A split model that is one region is compiled and linked for each part's core, without TFLM: its RAM is the workspace and the
stack that firmware sets aside, its flash the whole image. Of a stock model, and of one that keeps stock operators, only
what is certain is counted: the predicted arena and the file. What else is in the firmware (TFLM, drivers, the
application) comes on top of both.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflm_split.analysis.kernel_sets import kernel_set
from tflm_split.answers.fit import need as arena_need
from tflm_split.board.boards import Board, board_named
from tflm_split.board.elf_sizes import elf_sizes
from tflm_split.board.firmware import STACK_BYTES, build_firmware
from tflm_split.board.one_region import OneRegion, one_region
from tflm_split.board.parts import PARTS, Part
from tflm_split.errors import InputError, ProgramError
from tflm_split.ir.graph import Model
from tflm_split.options import Options
from tflm_split.pipeline import optimize
from tflm_split.program.format import CUSTOM_CODE
from tflm_split.report.table import text_table
from tflm_split.tflite.reader import read_model


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of RAM and flash. `linked`: of an image that was built; otherwise at least this much."""

    ram_bytes: int
    flash_bytes: int
    linked: bool

    def fits(self, part: Part) -> bool:
        """Whether `part` has that much of both."""
        return self.ram_bytes <= part.ram_bytes and self.flash_bytes <= part.flash_bytes


@dataclass(frozen=True, slots=True)
class Fit:
    """One part, with what the model needs there. `stock` is None for a file that is split already."""

    part: Part
    stock: Need | None
    split: Need


@dataclass(frozen=True, slots=True)
class Fits:
    """A model on all parts."""

    model: str
    on: tuple[Fit, ...]

    def record(self) -> dict[str, Any]:
        """The JSON record of `board fits`."""
        return {"model": self.model, "parts": [_record(fit) for fit in self.on]}

    def table(self) -> str:
        """A table with one line per part. Sizes are in bytes."""
        header = ("part", "RAM", "flash", "stock RAM", "stock flash", "stock", "split RAM", "split flash", "split")
        rows = [
            (f.part.name, f"{f.part.ram_bytes:,}", f"{f.part.flash_bytes:,}", *_cells(f.stock, f.part), *_cells(f.split, f.part))
            for f in self.on
        ]  # fmt: skip
        linked = all(fit.split.linked for fit in self.on)
        note = (
            "Split: the workspace, any state, the stack and the whole image without TFLM. Stock: the arena and the file alone."
            if linked
            else "The arena and the file alone: the model is not one region, or was not split."
        )
        return text_table(header, rows) + note + "\n"


def fits(source: os.PathLike[str] | str, *, int8_io: bool = False) -> Fits:
    """What the model at `source` needs on every part, as it is and split; a split file is taken as it is.

    Raises InputError for a file that is no model or holds a damaged program, ToolError when a cross compiler is missing or fails.
    """
    model = read_model(source)
    already = any(op.kind == f"CUSTOM:{CUSTOM_CODE}" for op in model.graph.operators)
    split = model if already else read_model(optimize(source, Options(int8_io=int8_io, verify=False)).model)
    needs = _needs(split)
    on = (Fit(part, None if already else _at_least(model, part.board), needs[part.board]) for part in PARTS)
    return Fits(model.name, tuple(on))


def _at_least(model: Model, board: str) -> Need:
    arena_bytes = arena_need(model, kernel_set("reference", board))["set_aside_bytes"]
    return Need(arena_bytes, len(model.original), linked=False)


def _needs(split: Model) -> dict[str, Need]:
    """What a split model needs, by the board that has the part's core."""
    boards = dict.fromkeys(part.board for part in PARTS)
    try:
        region = one_region(split)
    except ProgramError:
        raise
    except InputError:  # some operators stay with TFLM
        return {name: _at_least(split, name) for name in boards}
    return {name: _linked(region, board_named(name)) for name in boards}


def _linked(region: OneRegion, board: Board) -> Need:
    """The sizes of an image for the core of `board`, which has more memory than the parts."""
    with tempfile.TemporaryDirectory(prefix="tflm_split_fits_") as scratch:
        sizes = elf_sizes(build_firmware(board, region.blob, region.program, Path(scratch)))
    return Need(sizes.data_bytes + sizes.bss_bytes + STACK_BYTES, sizes.flash_bytes, linked=True)


def _cells(need: Need | None, part: Part) -> tuple[str, str, str]:
    if need is None:
        return "-", "-", "-"
    return f"{need.ram_bytes:,}", f"{need.flash_bytes:,}", "fits" if need.fits(part) else "no"


def _record(fit: Fit) -> dict[str, Any]:
    return {
        "part": fit.part.name,
        "ram_bytes": fit.part.ram_bytes,
        "flash_bytes": fit.part.flash_bytes,
        "stock": None if fit.stock is None else _need_record(fit.stock, fit.part),
        "split": _need_record(fit.split, fit.part),
    }


def _need_record(need: Need, part: Part) -> dict[str, Any]:
    return {
        "ram_bytes": need.ram_bytes,
        "flash_bytes": need.flash_bytes,
        "linked": need.linked,
        "fits": need.fits(part),
    }
