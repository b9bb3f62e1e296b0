"""How does a program become a firmware image? It is linked with the executor and with the kernels it uses.

`SPLIT_NN_KINDS` says which kinds of step it uses. Sources that depend on it are compiled for each set of kinds, kernels
only once. The linker leaves out kernels that nobody calls.
"""

from __future__ import annotations

import atexit
import hashlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tflm_split.board.boards import Board
from tflm_split.board.toolchain import compiler_version, find_tool, run_tool
from tflm_split.errors import InputError, ToolError
from tflm_split.native.sources import executor_headers, executor_sources, executor_units, runtime_path
from tflm_split.program.types import Program

OPTIMIZATION = "-O2"
"""The compiler's level for all code. -O3 saves less than 1 % of the portable kernels' instructions for 30 % more code."""
STACK_BYTES = 2048
"""Bytes reserved for the stack. An overflow faults. How much a run uses is measured."""

# The bytes of float models must be those of TFLM on this machine, whose wheel fuses no multiply-adds.
_STRICT_FLOAT = "-DSPLIT_NN_STRICT_FLOAT"
_COMMON_FLAGS = (
    OPTIMIZATION, "-g0", "-ffunction-sections", "-fdata-sections", "-fno-common", "-std=c99", _STRICT_FLOAT,
)  # fmt: skip
_LINK_FLAGS = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,--fatal-warnings", "-Wl,--no-warn-rwx-segments")


def describe_compiler(board: Board) -> str:
    """The compiler, its version, and the flags that change instruction counts, as one text."""
    return " ".join((compiler_version(board.toolchain), OPTIMIZATION, *board.target_flags))


def build_firmware(board: Board, blob: bytes, program: Program, folder: Path, *, portable: bool = False) -> Path:
    """The path of the firmware image of `program` (encoded: `blob`), an ELF file in `folder`.

    `portable` leaves out the kernels written for the processor. Raises ToolError when a tool is missing or fails, InputError when
    the firmware does not fit the board's memories.
    """
    (folder / "program.bin").write_bytes(blob)
    common = runtime_path() / "boards" / "common"
    defines = (
        f"-DBOARD_WORKSPACE_BYTES={max(program.workspace_bytes, 1)}",
        f"-DBOARD_STATE_BYTES={program.state_bytes}",
        f"-DBOARD_SLOW_BYTES={program.slow_bytes}",
        '-DBOARD_PROGRAM_FILE="program.bin"',
    )
    sources = (common / "main.c", common / "program.S")
    return build_image(board, sources, defines, folder, kinds_mask=program.kinds_mask, portable=portable)


def build_image(
    board: Board,
    sources: Sequence[Path],
    defines: Sequence[str],
    folder: Path,
    *,
    kinds_mask: int,
    portable: bool = False,
) -> Path:
    """The path of an ELF file in `folder`: `sources`, compiled with `defines` and linked with the executor.

    The executor knows the kinds of step in `kinds_mask` (bit k: kind k).

    Raises as `build_firmware` does.
    """
    objects = _objects(board, portable, kinds_mask)
    boards = runtime_path() / "boards"
    image = folder / "firmware.elf"
    compiler = find_tool(board.toolchain.compiler)
    flags = (*board.flags, *_COMMON_FLAGS, *defines, *_include_flags(board))
    failure = f"the firmware cannot be built for {board.name}"
    # The program around the executor is no part of what is measured: small is better there.
    run_tool([compiler, "-c", *flags, "-Os", *map(str, sources)], folder, failure)
    command = [
        compiler,
        *board.flags,
        *_COMMON_FLAGS,
        *_LINK_FLAGS,
        f"-Wl,--defsym=BOARD_STACK_BYTES={STACK_BYTES}",
        *(() if board.slow_origin is None else (f"-Wl,--defsym=BOARD_SLOW_ORIGIN={board.slow_origin:#x}",)),
        f"-L{boards / 'common'}",
        f"-T{boards / board.folder / 'memory.ld'}",
        *(source.stem + ".o" for source in sources),
        *map(str, objects),
        "-lm",
        "-o",
        image.name,
    ]
    try:
        run_tool(command, folder, failure)
    except ToolError as error:
        overflow = re.search(r"region `(\w+)' overflowed by (\d+) bytes", str(error))
        if overflow is None:
            raise
        memory = "RAM" if overflow[1] == "RAM" else "flash"
        raise InputError(
            f"the firmware does not fit {board.name}: it takes {int(overflow[2]):,} bytes more {memory} than there are"
        ) from None
    return image


def _include_flags(board: Board) -> tuple[str, ...]:
    runtime = runtime_path()
    folders = [runtime / "split_nn", *(runtime / "boards" / name for name in board_folders(board))]
    return tuple(f"-I{folder}" for folder in folders)


def board_folders(board: Board) -> tuple[str, ...]:
    """The folders in `tflm_runtime_patch/boards/` with the board's sources."""
    return "common", board.toolchain.folder, board.folder


def board_sources(board: Board) -> tuple[Path, ...]:
    """The board's own C files, without `main.c`."""
    boards = runtime_path() / "boards"
    files = (path for name in board_folders(board) for path in sorted((boards / name).glob("*.c")))
    return tuple(path for path in files if path.name != "main.c")


def _names_kinds(unit: Path) -> bool:
    """Whether a source of the executor depends on `SPLIT_NN_KINDS`. All but the kernels do."""
    return unit.stem.startswith(("split_nn_core_", "split_nn_ops_"))


def _objects(board: Board, portable: bool, kinds_mask: int) -> tuple[Path, ...]:
    """The compiled executor, kernels and board code, ready to be linked."""
    executor = executor_units()
    kinds = tuple(path for path in executor if _names_kinds(path))
    kernels = tuple(path for path in executor if not _names_kinds(path))
    boards = runtime_path() / "boards"
    own = board_sources(board)
    headers = [path for folder in board_folders(board) for path in sorted((boards / folder).glob("*.h"))]
    digest = _digest([*executor_sources(), *executor_headers()])
    sets = (
        (kinds, (f"-DSPLIT_NN_KINDS=UINT64_C({kinds_mask:#x})",), digest),
        (kernels, ("-DSPLIT_NN_PORTABLE",) if portable else (), digest),
        (own, _include_flags(board), _digest([*own, *headers])),
    )
    objects = []
    for sources, flags, state in sets:
        folder = _compiled(board.toolchain.compiler, (*board.flags, *_COMMON_FLAGS, *flags), sources, state)
        objects += [folder / f"{path.stem}.o" for path in sources]
    return tuple(objects)


def _digest(files: Sequence[Path]) -> str:
    """A hash of all that is compiled."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _compiled(compiler: str, flags: tuple[str, ...], sources: tuple[Path, ...], digest: str) -> Path:
    """The folder with the objects of `sources`. They are compiled once per process and per state of the sources."""
    folder = Path(tempfile.mkdtemp(prefix="tflm_split_board_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    compile_into(folder, compiler, flags, sources)
    return folder


def compile_into(folder: Path, compiler: str, flags: Sequence[str], sources: Sequence[Path]) -> None:
    """Put the objects of `sources` into `folder`. Raises ToolError when the compiler is missing or fails."""
    failure = "the executor cannot be compiled for the board"
    run_tool([find_tool(compiler), "-c", *flags, *map(str, sources)], folder, failure)
