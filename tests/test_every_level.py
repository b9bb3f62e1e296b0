"""Do the sources compile at every level of optimisation, for every family of cores, without a warning?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cores import CORES, LEVELS
from objects import compiled

from tflm_split.native.build import EXECUTOR_FOLDER, executor_units

STRICT = ("-Wall", "-Wextra", "-Werror", "-Wconversion")
DSP_KERNEL = EXECUTOR_FOLDER / "kernels" / "dsp" / "depthwise.c"


def command(core: str) -> tuple[str, ...]:
    """The command for `core`. Skips the test where its compiler is not installed."""
    if shutil.which(CORES[core][0]) is None:
        pytest.skip(f"{CORES[core][0]} is not installed")
    return CORES[core]


def own_units(core: str) -> list[Path]:
    """The executor and the kernels that `core` has code for; those of other cores are empty."""
    own = {"m4": ("dsp", "portable"), "m7": ("dsp", "portable"), "m55": ("helium", "portable")}.get(core, ("portable",))
    rooms = (*(f"split_nn_kernels_{room}_" for room in own), "split_nn_core_", "split_nn_ops_")
    return [unit for unit in executor_units() if unit.stem.startswith(rooms)]


@pytest.mark.parametrize("core", CORES)
def test_every_source_compiles_without_optimisation(core: str) -> None:
    """-O0 becomes -O2 in the sources (`split_nn_optimize.h`), and so does -Os; boards are built with -O2."""
    assert compiled((*command(core), "-std=c99", "-O0", *STRICT), own_units(core))


@pytest.mark.parametrize("core", ["m0+", "m4", "m55"])
@pytest.mark.parametrize("level", ["-Og", "-O1", "-Os -DSPLIT_NN_KEEP_OPTIMIZATION"])
def test_kernels_with_assembly_compile_at_levels_that_are_kept(core: str, level: str) -> None:
    rooms = {"m0+": "split_nn_kernels_portable", "m4": "split_nn_kernels_dsp", "m55": "split_nn_kernels_helium"}
    units = [unit for unit in own_units(core) if unit.stem.startswith(rooms[core])]
    assert compiled((*command(core), "-std=gnu11", *level.split(), *STRICT), units)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("level", LEVELS)
def test_the_operators_of_convolutions_compile_at_every_level(core: str, level: str) -> None:
    names = (
        "core_run",
        *(f"kernels_portable_{kernel}" for kernel in ("conv", "conv_float", "conv_int16", "depthwise", "dots")),
    )
    units = [unit for unit in executor_units() if unit.stem.removeprefix("split_nn_") in names]
    assert len(units) == len(names)
    assert compiled((*command(core), "-std=gnu11", level, *STRICT), units)


@pytest.mark.parametrize("level", LEVELS)
def test_a_kernel_with_assembly_compiles_by_itself_without_its_unit(level: str) -> None:
    assert compiled((*command("m4"), "-std=c99", level, *STRICT), [DSP_KERNEL])
