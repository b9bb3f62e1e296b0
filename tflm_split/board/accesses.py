"""How often does emulated firmware read and write each of its memories?

A small plugin of QEMU counts (`tflm_runtime_patch/boards/emulator/count_accesses.c`). It is compiled for this machine when it is
first asked for, in the folder of the run. Counted is what instructions do, access by access: a kernel that reads a byte for each
of its output channels reads it that often, and a processor's cache would save some of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflm_split.board.boards import Board
from tflm_split.board.toolchain import find_tool, run_tool
from tflm_split.errors import ToolError
from tflm_split.native.sources import runtime_path

WORKSPACE, SLOW = "board_workspace", "board_slow"
_OUT = "accesses.txt"
_FIRST_WITH_VERSION_2 = 9
"""From this version on, QEMU takes plugins of version 2 and newer only. What is used here is the same."""


@dataclass(frozen=True, slots=True)
class Accesses:
    """What the instructions of one inference do in one memory: how many loads and stores, and of how many bytes in all."""

    reads: int
    read_bytes: int
    writes: int
    written_bytes: int


def plugin_flags(board: Board, image: Path, folder: Path) -> tuple[str, ...]:
    """The emulator's options that make it count. Raises ToolError without a C compiler for this machine."""
    emulator = find_tool(board.toolchain.emulator)
    said = run_tool([emulator, "--version"], folder, f"{board.toolchain.emulator} does not run")
    found = re.search(r"version (\d+)", said)
    version = 2 if found and int(found[1]) >= _FIRST_WITH_VERSION_2 else 1
    source = runtime_path() / "boards" / "emulator" / "count_accesses.c"
    flags = ("-O2", "-shared", "-fPIC", f"-DPLUGIN_VERSION={version}")
    failure = "the plugin that counts accesses cannot be compiled"
    run_tool([find_tool("cc"), *flags, str(source), "-o", "count_accesses.so"], folder, failure)
    ranges = ",".join(f"range={low:#x}:{size}" for low, size in _ranges(image))
    return ("-plugin", f"file={folder / 'count_accesses.so'},out={folder / _OUT},{ranges}")


def in_memories(folder: Path, inferences: int) -> dict[str, Accesses]:
    """The accesses of one inference, by memory: `fast`, and `slow` where there is one. Raises ToolError if nothing was counted."""
    path = folder / _OUT
    lines = path.read_text().splitlines() if path.exists() else []
    if not lines:
        raise ToolError("the emulator has counted no accesses: it was built without plugins, or does not take this one")
    numbers = [[int(word) // inferences for word in line.split()] for line in lines]
    return {name: Accesses(*of) for name, of in zip(("fast", "slow"), numbers, strict=False)}


def _ranges(image: Path) -> Sequence[tuple[int, int]]:
    """(Address, bytes) of the workspace, and of the slow memory if there is one."""
    from elftools.elf.elffile import ELFFile

    with image.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".symtab")
        found = {symbol.name: (symbol.entry["st_value"], symbol.entry["st_size"]) for symbol in table.iter_symbols()}
    return [found[name] for name in (WORKSPACE, SLOW) if name in found]
