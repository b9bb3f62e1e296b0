"""Do the Helium (MVE) kernels compute, on an emulated Cortex-M55, what the portable ones compute?

One bare-metal image holds both and compares them there: `kernel_variants/` draws the cases (sizes beside multiples of
16, unaligned rows, padding on every side, gaps between pixels, extreme weights, zero points, multipliers and shifts,
outputs that lie on their inputs as far as `split_nn.h` allows) and ends tables and rows where the memory ends.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from objects import STRICT, compiled
from toolchains import needs_arm

from tflm_split.board.boards import board_named
from tflm_split.board.toolchain import ARM
from tflm_split.native.build import EXECUTOR_FOLDER, executor_units, unit_name

pytestmark = needs_arm

BOARD = board_named("m55")
CASES = sorted((Path(__file__).parent / "kernel_variants").glob("*.c"))
SPLIT_NN = EXECUTOR_FOLDER
HELIUM = SPLIT_NN / "kernels" / "helium"
COMMON = SPLIT_NN.parent / "boards" / "common"
CORE = COMMON.parent / "arm"
INT16_KERNELS = ("conv_int16", "binary_int16")
KERNELS = (
    "conv",
    "depthwise",
    "average_pool",
    "max_pool",
    "add",
    "mul",
    "lut",
    "quantize_float",
    "pad",
    *INT16_KERNELS,
)
FUNCTIONS = (*(f"{kernel}_row" for kernel in KERNELS), "sum_row", "sum_finish", "dense_row", "dense_finish")
PORTABLE_FILES = (*KERNELS, "sum_feed", "dense_feed", "dots", "store")
SHARED_FILES = ("fixed_point", "windows")
SUITES = (*KERNELS, "sum", "dense", "requantization")


def mve_sources() -> list[Path]:
    return [path for path in executor_units() if path.stem.startswith("split_nn_kernels_helium_")]


def build(sources: list[Path], *flags: str) -> list[Path]:
    """The objects of `sources`."""
    include = [f"-I{SPLIT_NN}", f"-I{HELIUM}", f"-I{COMMON}", f"-I{CORE}", f"-I{COMMON.parent / BOARD.folder}"]
    command = [ARM.compiler, *BOARD.target_flags, *ARM.flags, "-O2", "-ffunction-sections", *include, *flags]
    return compiled(command, sources)


def mve_objects(mve: list[Path]) -> list[Path]:
    """The Helium kernels. Beside each object is what stack its functions use."""
    return build(mve, "-std=c99", "-fstack-usage", *STRICT)


def image(folder: Path, mve: list[Path]) -> Path:
    """An image with the MVE kernels, the portable ones as portable_*, and the code that compares them."""
    renamed = [f"-Dsplit_nn_{name}=portable_{name}" for name in FUNCTIONS]
    portable = [SPLIT_NN / "kernels" / "portable" / f"{name}.c" for name in PORTABLE_FILES]
    shared = [SPLIT_NN / "kernels" / f"{name}.c" for name in SHARED_FILES]
    objects = build([*portable, *shared], "-std=c99", "-DSPLIT_NN_PORTABLE", *renamed)
    objects += mve_objects(mve)
    objects += build(CASES, "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-DVARIANTS_SEED=1")
    objects += build([CORE / "startup.c", COMMON / "semihosting.c"], "-std=c99")
    script = [f"-L{COMMON}", f"-T{COMMON.parent / BOARD.folder / 'memory.ld'}", "-Wl,--defsym=BOARD_STACK_BYTES=8192"]
    ram_end = "-Wl,--defsym=board_ram_end=ORIGIN(RAM)+LENGTH(RAM)"
    link = ["-nostartfiles", "-Wl,--gc-sections", *script, ram_end, "-o", "variants.elf"]
    folder.mkdir()
    command: list[str | Path] = [ARM.compiler, *BOARD.target_flags, *ARM.flags, *objects, *link]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "variants.elf"


def console(elf: Path) -> str:
    command = [ARM.emulator, "-M", BOARD.machine, "-nographic", "-monitor", "none", "-serial", "none"]
    command += ["-semihosting", "-kernel", str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Suite -> "agreed 800" or "differs_at_seed 17". Suites after a fault are missing."""
    said = console(image(tmp_path_factory.mktemp("variants") / "image", mve_sources()))
    return dict(line.split(" ", 1) for line in said.splitlines() if line.count(" ") == 2)


@pytest.mark.parametrize("suite", SUITES)
def test_the_kernel_equals_the_portable_one(suite: str, verdicts: Mapping[str, str]) -> None:
    assert re.fullmatch(r"agreed [1-9]\d\d+", verdicts.get(suite, "never finished"))


def test_a_kernel_that_reads_behind_a_table_faults(tmp_path: Path) -> None:
    dots = HELIUM / "dots.c"
    reads_16, of_fewer = "vldrbq_s8(of.weights)", "vldrbq_z_s8(of.weights, p)"
    assert dots.read_text().count(of_fewer) == 1
    careless = tmp_path / unit_name(dots)
    careless.write_text(dots.read_text().replace(of_fewer, reads_16))
    sources = [careless if path.name == careless.name else path for path in mve_sources()]
    assert console(image(tmp_path / "image", sources)) == "fault\n"


def test_the_executor_compiles_without_a_warning() -> None:
    others = [path for path in executor_units() if path not in mve_sources()]
    assert all(path.is_file() for path in (*build(others, "-std=c99", *STRICT), *mve_objects(mve_sources())))


DEEPEST = {
    "conv": ("split_nn_conv_row", "large_window", "add_rows", "add_padding", "split_mve_dots"),
    "depthwise": ("split_nn_depthwise_row", "any_row", "any_pixel", "any_block", "repeat"),
    "conv_int16": ("split_nn_conv_int16_row", "add_window", "add_run", "add_excess", "some_dots"),
}


@pytest.mark.parametrize("kernel", DEEPEST)
def test_the_stack_of_the_deepest_kernels_is_what_they_say(kernel: str) -> None:
    source = HELIUM / f"{kernel}.c"
    stated = re.search(r"Stack: below (\d+) bytes", source.read_text())
    usage = {path.stem: path.with_suffix(".su").read_text() for path in mve_objects(mve_sources())}
    frames: dict[str, int] = {}
    for name in (source, HELIUM / "dots.c"):
        text = usage[Path(unit_name(name)).stem]
        assert "dynamic" not in text
        frames |= {m[1]: int(m[2]) for m in re.finditer(r":(\w+)\t(\d+)\t", text)}
    assert stated is not None
    assert sum(frames[name] for name in DEEPEST[kernel]) < int(stated[1])
