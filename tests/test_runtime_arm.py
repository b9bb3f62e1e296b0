"""Do the kernels written for a processor compute, on that processor, what the portable ones compute?

Both are linked into one image for an emulated board, which draws random cases and compares all memory afterwards:
sizes that are no multiple of four, rows at any address, padding on every side, pixels further apart than their
channels, extreme weights, biases, zero points, multipliers and shifts, outputs that lie on their own inputs as far as
`split_nn.h` allows it, and rows and weights behind which there is no memory.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from objects import compiled
from toolchains import needs_arm

from tflm_split.board.boards import Board, board_named
from tflm_split.board.toolchain import ARM
from tflm_split.native.build import EXECUTOR_FOLDER, executor_units

pytestmark = needs_arm

SPLIT_NN = EXECUTOR_FOLDER
BOARDS = SPLIT_NN.parent / "boards"
TESTS = Path(__file__).parent
VARIANTS = {"m4": "dsp", "m7": "dsp", "m55": "helium"}
OPTIMIZATION = {"m4": "-Os", "m7": "-O2", "m55": "-O2"}
KERNELS = (
    "conv_row",
    "depthwise_row",
    "average_pool_row",
    "max_pool_row",
    "add_row",
    "mul_row",
    "lut_row",
    "quantize_float_row",
    "pad_row",
    "sum_row",
    "sum_finish",
    "dense_row",
    "dense_finish",
    "matmul_dots",
    "matmul_add",
    "matmul_finish",
    "conv_sum_row",
    "conv_sum_finish",
    "conv_int16_row",
    "depthwise_int16_row",
    "binary_int16_row",
)
SHARED = ("fixed_point", "windows")
"""Files that the kernels of several cores call."""
SHARED_FUNCTIONS = ("requantize_any", "gather_window", "pixels_together")
PORTABLE = [
    "-DSPLIT_NN_PORTABLE",
    *(f"-Dsplit_nn_{name}=portable_{name}" for name in KERNELS),
    *(f"-Dsplit_{name}=portable_{name}" for name in SHARED_FUNCTIONS),
]
STRICT = ["-Wall", "-Wextra", "-Werror"]


def run(command: list[str | Path], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def compile_objects(board: Board, sources: list[Path], flags: list[str], optimization: str = "-O2") -> list[Path]:
    common = [*ARM.flags, "-std=gnu99", optimization, "-ffunction-sections", f"-I{SPLIT_NN}"]
    include = [f"-I{BOARDS / 'common'}", f"-I{BOARDS / 'arm'}", f"-I{BOARDS / board.folder}"]
    return compiled([ARM.compiler, *board.target_flags, *common, *include, *flags], sources)


def own_objects(name: str) -> list[Path]:
    """The board's own kernels, and the portable ones where it has none."""
    portable, variants = kernel_sources()
    return compile_objects(
        board_named(name),
        [*portable, *variants, *shared_sources()],
        [*STRICT, "-DSPLIT_NN_KEEP_OPTIMIZATION"],
        OPTIMIZATION[name],
    )


def kernel_sources() -> tuple[list[Path], list[Path]]:
    """Portable files that have variants, and the variants with their shared files."""
    variants = [path for path in executor_units() if path.stem.startswith(tuple(map(kernels, ("dsp", "helium"))))]
    portable = {re.sub(r"_kernels_(dsp|helium)_", "_kernels_portable_", path.stem) for path in variants}
    portable |= {f"{kernels('portable')}{name}" for name in ("dots", "store")}
    return [path for path in executor_units() if path.stem in portable], variants


def shared_sources() -> list[Path]:
    """What the kernels of several cores call. It is also built for the portable ones, under other names."""
    return [path for path in executor_units() if path.stem in {f"split_nn_kernels_{name}" for name in SHARED}]


def kernels(folder: str) -> str:
    """The prefix of the names of all units of one folder of kernels."""
    return f"split_nn_kernels_{folder}_"


RAM_ENDS = {"mps2": ["-DRAM_END=0x20400000u", "-DGUARD_BY_MPU"], "mps3_an547": ["-DRAM_END=0x20080000u"]}
"""The first address behind the RAM. Every access there must fault. Where QEMU has memory there, the MPU forbids it."""


def image(name: str, folder: Path, cases: int, *more: str) -> Path:
    board = board_named(name)
    portable = compile_objects(board, [*kernel_sources()[0], *shared_sources()], PORTABLE)
    objects = [*portable, *own_objects(name)]
    seed = 1 + sorted(VARIANTS).index(name)
    defines = [f"-DSEED={seed}", f"-DCASES={cases}", *RAM_ENDS[board.folder], *more]
    objects += compile_objects(board, [TESTS / "runtime_arm_main.c"], defines)
    objects += compile_objects(board, [BOARDS / "arm" / "startup.c", BOARDS / "common" / "semihosting.c"], [])
    link = ["-nostartfiles", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", "-Wl,--defsym=BOARD_STACK_BYTES=4096"]
    where = [f"-L{BOARDS / 'common'}", f"-T{BOARDS / board.folder / 'memory.ld'}"]
    run([ARM.compiler, *board.target_flags, *ARM.flags, *link, *where, *objects, "-lm", "-o", "kernels.elf"], folder)
    return folder / "kernels.elf"


def emulate(board: Board, elf: Path) -> str:
    command = [ARM.emulator, "-M", board.machine, "-nographic", "-monitor", "none", "-serial", "null"]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_equals_the_portable_kernels(name: str, tmp_path: Path) -> None:
    cases = 4000
    said = emulate(board_named(name), image(name, tmp_path, cases))
    found = re.search(rf"cases {cases}\nwrote (\d+)\n", said)
    assert found is not None, said
    assert int(found[1]) > cases // 2


@pytest.mark.parametrize("name", VARIANTS)
def test_reading_behind_the_memory_is_noticed(name: str, tmp_path: Path) -> None:
    assert emulate(board_named(name), image(name, tmp_path, 1, "-DREAD_BEHIND_RAM")) == "fault\n"


@pytest.mark.parametrize("name", VARIANTS)
def test_a_board_gets_its_own_variant_and_no_other(name: str, tmp_path: Path) -> None:
    for out in own_objects(name):
        if out.stem.startswith((kernels("dsp"), kernels("helium"))):
            symbols = run(["arm-none-eabi-nm", "--defined-only", out], tmp_path)
            assert (" T " in symbols) == out.stem.startswith(kernels(VARIANTS[name])), out.stem


def test_without_unaligned_loads_a_core_with_dsp_gets_the_portable_kernels(tmp_path: Path) -> None:
    """DSP kernels load words from any address. Code for strict alignment must not do that."""
    portable, variants = kernel_sources()
    for out in compile_objects(board_named("m4"), [*portable, *variants], ["-mno-unaligned-access"], "-O0"):
        defines_functions = " T " in run(["arm-none-eabi-nm", "--defined-only", out], tmp_path)
        assert defines_functions == out.stem.startswith(kernels("portable")), out.stem
