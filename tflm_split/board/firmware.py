"""How does a program become a firmware image? Compiled, linked with the kernels it uses and with nothing else."""

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
from tflm_split.board.toolchain import ARCHIVER, COMPILER, compiler_version, find_tool, run_tool, runtime_folder
from tflm_split.errors import InputError, ToolError
from tflm_split.program.format import OpKind
from tflm_split.program.types import Program
from tflm_split.verify.host_library import executor_sources

OPTIMIZATION = "-O2"
"""For everything: -O3 saves less than 1 % of the portable kernels' instructions for 30 % more code (measured)."""
STACK_BYTES = 2048
"""Room for the stack; an overflow faults. What a run takes of it is measured."""

_COMMON_FLAGS = ("-mthumb", OPTIMIZATION, "-g0", "-ffunction-sections", "-fdata-sections", "-fno-common", "-std=c99")
_LINK_FLAGS = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,--fatal-warnings", "-Wl,--no-warn-rwx-segments")

KERNELS: dict[OpKind, tuple[str, ...]] = {
    OpKind.CONV: ("split_nn_conv_row",),
    OpKind.DEPTHWISE: ("split_nn_depthwise_row",),
    OpKind.CONV_SUM: ("split_nn_conv_sum_row", "split_nn_conv_sum_finish"),
    OpKind.CONV_SUM_LAST: ("split_nn_conv_sum_row", "split_nn_conv_sum_finish"),
    OpKind.AVERAGE_POOL: ("split_nn_average_pool_row",),
    OpKind.MAX_POOL: ("split_nn_max_pool_row",),
    OpKind.ADD: ("split_nn_add_row",),
    OpKind.SUB: ("split_nn_add_row",),
    OpKind.MUL: ("split_nn_mul_row",),
    OpKind.LUT: ("split_nn_lut_row",),
    OpKind.QUANTIZE_FLOAT: ("split_nn_quantize_float_row",),
    OpKind.SOFTMAX: ("split_nn_softmax_row",),
    OpKind.PAD: ("split_nn_pad_row",),
    OpKind.SUM_FEED: ("split_nn_sum_row", "split_nn_sum_finish", "split_nn_max_feed_row", "split_nn_max_feed_finish"),
    OpKind.DENSE_FEED: ("split_nn_dense_row", "split_nn_dense_finish"),
    OpKind.TRANSPOSE_CONV: ("split_nn_transpose_conv_row",),
    OpKind.RESIZE_NEAREST: ("split_nn_resize_nearest_row",),
    OpKind.MINIMUM: ("split_nn_extreme_row",),
    OpKind.MAXIMUM: ("split_nn_extreme_row",),
    OpKind.SQUARED_DIFFERENCE: ("split_nn_squared_difference_row",),
    OpKind.PRELU: ("split_nn_prelu_row",),
    OpKind.PIXEL_SUM: ("split_nn_pixel_sum_row",),
    OpKind.RESIZE_BILINEAR: ("split_nn_resize_bilinear_row",),
    OpKind.GATHER: ("split_nn_gather_row",),
    OpKind.DEPTH_TO_SPACE: ("split_nn_depth_to_space_row",),
    OpKind.TRANSPOSE: ("split_nn_transpose_line",),
    OpKind.BATCH_MATMUL: ("split_nn_matmul_dots", "split_nn_matmul_add", "split_nn_matmul_finish"),
    OpKind.CONV_INT16: ("split_nn_conv_int16_row",),
    OpKind.DEPTHWISE_INT16: ("split_nn_depthwise_int16_row",),
    OpKind.POOL_INT16: ("split_nn_pool_int16_row",),
    OpKind.BINARY_INT16: ("split_nn_binary_int16_row",),
    OpKind.UNARY_INT16: ("split_nn_unary_int16_row",),
    OpKind.SUM_FEED_INT16: ("split_nn_sum_int16_row", "split_nn_sum_int16_finish"),
    OpKind.SOFTMAX_INT16: ("split_nn_softmax_int16_row",),
    OpKind.CONV_FLOAT: ("split_nn_conv_float_row",),
    OpKind.DEPTHWISE_FLOAT: ("split_nn_depthwise_float_row",),
    OpKind.POOL_FLOAT: ("split_nn_pool_float_row",),
    OpKind.BINARY_FLOAT: ("split_nn_binary_float_row",),
    OpKind.UNARY_FLOAT: ("split_nn_unary_float_row",),
    OpKind.DENSE_FEED_INT16: ("split_nn_dense_int16_row", "split_nn_dense_int16_finish"),
    OpKind.SUM_FEED_FLOAT: ("split_nn_sum_float_row", "split_nn_sum_float_finish"),
    OpKind.DENSE_FEED_FLOAT: ("split_nn_dense_float_row", "split_nn_dense_float_finish"),
}
"""The functions of `split_nn_kernels*.h` that each kind of step calls."""


def absent_kernels(program: Program) -> tuple[str, ...]:
    """The kernels that `program` never calls."""
    used = {name for op in program.ops for name in KERNELS[op.kind]}
    return tuple(sorted({name for names in KERNELS.values() for name in names} - used))


def describe_compiler(board: Board) -> str:
    """Compiler, version and the flags that make a difference."""
    return " ".join((compiler_version(), OPTIMIZATION, *board.target_flags))


def build_firmware(board: Board, blob: bytes, program: Program, folder: Path, *, portable: bool = False) -> Path:
    """The firmware image of `program` (encoded: `blob`), an ELF file in `folder`.

    `portable` leaves the processor's own kernels out. Raises ToolError when a tool is missing or fails, InputError when
    the firmware does not fit the board's memories.
    """
    (folder / "program.bin").write_bytes(blob)
    common = runtime_folder() / "boards" / "common"
    defines = (
        f"-DBOARD_WORKSPACE_BYTES={max(program.workspace_bytes, 1)}",
        '-DBOARD_PROGRAM_FILE="program.bin"',
        f"-DSPLIT_NN_KINDS=UINT64_C({program.kinds_mask:#x})",
    )
    executor = runtime_folder() / "split_nn"
    # Linked before the archive, these two stand in for its members: they alone name every kind of step.
    sources = (common / "main.c", common / "program.S", executor / "split_nn_check_op.c", executor / "split_nn_run.c")
    return build_image(board, sources, defines, folder, absent=absent_kernels(program), portable=portable)


def build_image(
    board: Board,
    sources: Sequence[Path],
    defines: Sequence[str],
    folder: Path,
    *,
    absent: Sequence[str] = (),
    portable: bool = False,
) -> Path:
    """`sources`, compiled with `defines`, linked with what all firmware shares and with all kernels but `absent` ones.

    Raises as `build_firmware` does.
    """
    objects = _objects(board, portable)
    boards = runtime_folder() / "boards"
    image = folder / "firmware.elf"
    compiler = find_tool(COMPILER)
    flags = (*board.target_flags, *_COMMON_FLAGS, *defines, *_include_flags(board))
    failure = f"the firmware cannot be built for {board.name}"
    run_tool([compiler, "-c", *flags, *map(str, sources)], folder, failure)
    command = [
        compiler,
        *board.target_flags,
        *_COMMON_FLAGS,
        *_LINK_FLAGS,
        f"-Wl,--defsym=BOARD_STACK_BYTES={STACK_BYTES}",
        *(f"-Wl,--defsym={name}=board_absent_kernel" for name in absent),
        f"-L{boards / 'common'}",
        f"-T{boards / board.folder / 'memory.ld'}",
        *(source.stem + ".o" for source in sources),
        str(objects / "startup.o"),
        str(objects / "split_nn.a"),
        str(objects / "board.a"),
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
    runtime = runtime_folder()
    return (f"-I{runtime / 'split_nn'}", f"-I{runtime / 'boards' / 'common'}", f"-I{runtime / 'boards' / board.folder}")


def _common_sources() -> list[Path]:
    return [path for path in sorted((runtime_folder() / "boards" / "common").glob("*.c")) if path.name != "main.c"]


def _objects(board: Board, portable: bool) -> Path:
    """The folder with what all firmware of a board shares, compiled once per process and state of the sources."""
    sources = [*executor_sources(), *_common_sources()]
    folders = {source.parent for source in sources} | {runtime_folder() / "boards" / board.folder}
    headers = [path for folder in folders for path in folder.glob("*.h")]
    digest = hashlib.sha256()
    for path in [*sources, *sorted(headers)]:
        digest.update(path.read_bytes())
    return _compiled(board, portable, tuple(sources), digest.hexdigest())


@cache
def _compiled(board: Board, portable: bool, sources: tuple[Path, ...], digest: str) -> Path:
    compiler, archiver = find_tool(COMPILER), find_tool(ARCHIVER)
    folder = Path(tempfile.mkdtemp(prefix="tflm_split_board_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    defines = ("-DSPLIT_NN_PORTABLE",) if portable else ()
    flags = (*board.target_flags, *_COMMON_FLAGS, *defines, *_include_flags(board))
    if not executor_sources():
        raise ToolError("the executor's C sources are not in this installation: run from a checkout of tflm_split")
    run_tool([compiler, "-c", *flags, *map(str, sources)], folder, f"the executor cannot be compiled for {board.name}")
    executor = sorted(path.stem + ".o" for path in executor_sources())
    common = sorted(path.stem + ".o" for path in _common_sources() if path.stem != "startup")
    for archive, members in (("split_nn.a", executor), ("board.a", common)):
        run_tool([archiver, "rcs", archive, *members], folder, "the executor's objects cannot be archived")
    return folder
