"""Is the C runtime portable: strict C99, no warnings, no foreign symbols, an operator for every TFLM generation?"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from objects import HOST, STRICT, compiled, sanitized_library
from runtime_scene import Scene
from toolchains import ASAN, need_linked

from tflm_split.errors import ToolError
from tflm_split.kinds import OpKind
from tflm_split.native import build as host_library
from tflm_split.native.build import (
    EXECUTOR_FOLDER,
    RUNTIME_FOLDER,
    compile_host_library,
    executor_sources,
    executor_units,
    host_sources,
)
from tflm_split.program import generate
from tflm_split.program.encode import encode
from tflm_split.program.types import Io, Op, Program, Step

RUNTIME = RUNTIME_FOLDER
TESTS = Path(__file__).parent
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],  # below, with the sanitizers
    "cortex-m0": ["arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb"],
    "cortex-m4": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"],
}
KERNELS = "split_nn_kernels_"
"""How the names of the kernels' units begin."""
STACKS = "-fcallgraph-info=su"
"""GCC's option that writes frames and calls into a `.ci` file beside each object."""


def run(command: list[str | Path]) -> str:
    """The command's output; fails with it when the command does."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def compiler(name: str) -> list[str | Path]:
    command = COMPILERS[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return list(command)


def test_the_generated_files_are_fresh() -> None:
    assert generate.main(["--check"]) == 0


def test_a_stale_file_is_noticed_and_rewritten(tmp_path: Path) -> None:
    files = {tmp_path / path.name: render for path, render in generate.FILES.items()}
    assert generate.main(["--check"], files) == 1
    assert generate.main([], files) == 0
    assert generate.main(["--check"], files) == 0
    next(iter(files)).write_text("old")
    assert generate.main(["--check"], files) == 1


@pytest.mark.parametrize("name", ["gcc", "cortex-m0", "cortex-m4"])
def test_the_executor_compiles_without_a_warning(name: str) -> None:
    assert all(path.is_file() for path in strict_objects(name))


def strict_objects(name: str, optimization: str = "-O2") -> list[Path]:
    """The executor, compiled with all warnings."""
    stacks = [STACKS] if name == "cortex-m4" else []
    return compiled([*compiler(name), "-std=c99", optimization, *STRICT, *stacks], executor_units())


def kernel_units() -> list[Path]:
    """The units of the kernels. The others depend on no processor."""
    return [path for path in executor_units() if path.stem.startswith(KERNELS)]


def test_the_rest_of_the_host_library_compiles_without_a_warning() -> None:
    others = [path for path in host_sources() if path not in executor_sources()]
    objects = compiled([*compiler("gcc"), *HOST[1:]], others)
    assert {path.stem for path in objects} >= {"pip_operator", "tflm_split_call", "squeeze", "min_cut"}


@pytest.mark.parametrize("standard", ["c++11", "c++17"])
def test_the_public_headers_are_valid_cpp(standard: str, tmp_path: Path) -> None:
    unit = tmp_path / "headers.cc"
    headers = ("split_nn/split_nn.h", "split_nn/kernels/kernels.h", "tflm/tflm_split_call.h")
    unit.write_text("".join(f'#include "{RUNTIME / header}"\n' for header in headers))
    run([*compiler("gcc"), "-x", "c++", f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", unit])


def test_the_executor_needs_little_of_the_c_library_and_keeps_no_state(tmp_path: Path) -> None:
    library = tmp_path / "split_nn.o"
    run([*compiler("cortex-m4"), "-r", "-nostdlib", *strict_objects("cortex-m4"), "-o", library])
    symbols = [line.split() for line in run(["arm-none-eabi-nm", library]).splitlines()]
    undefined = {parts[-1] for parts in symbols if parts[-2] == "U"}
    needed = {name for name in undefined if not name.startswith("__aeabi_")}
    assert needed <= {"memcpy", "memset", "memmove", "expf", "tanhf", "expm1f"}
    variables = [parts[-1] for parts in symbols if parts[-2].upper() in ("B", "D", "C")]
    assert variables == []


def deepest_stacks(objects: Sequence[Path], roots: Sequence[str]) -> list[int]:
    """Bytes of the deepest chain of calls from each of `roots`, by the compiler's own frames and call graph."""
    frames: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    for path in objects:
        text = path.with_suffix(".ci").read_text()
        assert "dynamic" not in text
        for name, size in re.findall(r'node: { title: "([^"]+)" label: "[^"]*?(\d+) bytes', text):
            frames[name] = int(size)
        for caller, callee in re.findall(r'sourcename: "([^"]+)" targetname: "([^"]+)"', text):
            calls.setdefault(caller, set()).add(callee)

    @functools.cache
    def below(name: str) -> int:
        return frames.get(name, 0) + max((below(callee) for callee in calls.get(name, ())), default=0)

    assert set(roots) <= set(frames)
    return [below(root) for root in roots]


@pytest.mark.parametrize("optimization", ["-Os", "-O2"])
def test_the_stack_is_as_small_as_split_nn_h_says(optimization: str) -> None:
    """Without the string functions and the divisions that the compiler calls."""
    own = strict_objects("cortex-m4", optimization)
    rest = [path for path in own if not path.stem.startswith(KERNELS)]
    command = [*compiler("cortex-m4"), "-std=c99", optimization, STACKS, "-DSPLIT_NN_PORTABLE"]
    (portable,) = deepest_stacks([*rest, *compiled(command, kernel_units())], ["split_nn_run"])
    run_bytes, prepare_bytes = deepest_stacks(own, ["split_nn_run", "split_nn_prepare"])
    assert portable < 700
    assert run_bytes < 1200
    assert prepare_bytes < 700


ALL_KERNELS = {
    name
    for header in (EXECUTOR_FOLDER / "kernels").glob("kernels*.h")
    for name in re.findall(r"^void split_nn_(\w+)\(", header.read_text(), re.M)
}
KERNELS_OF = {
    OpKind.CONV: {"conv_row"},
    OpKind.MAX_POOL: {"max_pool_row"},
    OpKind.SUB: {"add_row"},
    OpKind.QUANTIZE_FLOAT: {"quantize_float_row"},
    OpKind.DENSE_FEED_INT16: {"dense_int16_row", "dense_int16_finish"},
    OpKind.POOL_FLOAT: {"pool_float_row"},
    OpKind.SUM_FEED_FLOAT: {"sum_float_row", "sum_float_finish"},
}


SOURCES_OF_KINDS = [path for path in executor_sources() if not path.is_relative_to(EXECUTOR_FOLDER / "kernels")]
"""The sources that depend on the kinds that a build has."""


def portable_kernels() -> list[Path]:
    """The objects of the kernels. They do not depend on the kinds that a build has."""
    return compiled(["gcc", "-std=c99", "-O0", "-ffunction-sections", "-DSPLIT_NN_PORTABLE"], kernel_units())


def linked_kernels(mask: int, folder: Path) -> set[str]:
    """The kernels that are linked into an executor of the kinds of step in `mask`."""
    flags = ["-O0", "-ffunction-sections", f"-DSPLIT_NN_KINDS={mask:#x}", "-DSPLIT_NN_PORTABLE"]
    roots = ["-nostartfiles", "-Wl,--gc-sections,-e,split_nn_run,-u,split_nn_prepare"]
    run(["gcc", "-std=c99", *flags, *roots, *SOURCES_OF_KINDS, *portable_kernels(), "-lm", "-o", folder / "kinds"])
    defined = {line.split()[-1] for line in run(["nm", folder / "kinds"]).splitlines()}
    return {name for name in ALL_KERNELS if f"split_nn_{name}" in defined}


@pytest.mark.parametrize("kind", KERNELS_OF, ids=lambda kind: kind.name)
def test_a_build_for_one_kind_of_step_has_only_its_kernels(kind: OpKind, tmp_path: Path) -> None:
    assert linked_kernels(1 << kind, tmp_path) == KERNELS_OF[kind]


def test_a_build_for_all_kinds_has_all_kernels(tmp_path: Path) -> None:
    assert linked_kernels(2**64 - 1, tmp_path) == ALL_KERNELS


REFUSAL_MAIN = r"""
#include <stdint.h>
#include <stdio.h>
#include "split_nn.h"

static uint32_t program[4096];

int main(void) { return puts(split_nn_status_text(split_nn_prepare(program, fread(program, 1, sizeof program, stdin)))) < 0; }
"""


def test_a_kind_that_is_left_out_is_named_with_the_setting(tmp_path: Path) -> None:
    main = tmp_path / "main.c"
    main.write_text(REFUSAL_MAIN)
    said = []
    for mask in (1 << OpKind.ADD, 1 << OpKind.LUT):
        flags = [
            "-O0",
            "-ffunction-sections",
            f"-DSPLIT_NN_KINDS={mask:#x}",
            "-DSPLIT_NN_PORTABLE",
            f"-I{EXECUTOR_FOLDER}",
        ]
        command = ["gcc", "-std=c99", *flags, "-Wl,--gc-sections", *SOURCES_OF_KINDS, *portable_kernels(), main]
        run([*command, "-lm", "-o", tmp_path / "main"])
        done = subprocess.run([tmp_path / "main"], input=lut_program(), capture_output=True, check=True)
        said.append(done.stdout.decode().strip())
    assert said[0].startswith("the program needs a kind of step that SPLIT_NN_KINDS leaves out of this build")
    assert said[1] == "ok"


def lut_program() -> bytes:
    """One int8 input and output of 3 x 4 pixels, every byte mapped to its complement."""
    scene = Scene(np.random.default_rng(0))
    source, output = scene.image((3, 4, 2)), scene.image((3, 4, 2))
    table = scene.constant((255 - np.arange(256)).astype(np.uint8))
    op = Op(OpKind.LUT, output.view, source.view, {"table_offset": table})
    program = scene.program([op], [Step(0, row) for row in range(3)])
    start, end = (int(image.places.min()) for image in (source, output))
    return encode(
        Program(
            program.workspace_bytes,
            (Io(start, 24),),
            (Io(end, 24),),
            program.storages,
            program.views,
            program.ops,
            program.steps,
            program.constants,
        )
    )


GENERATIONS = {
    "2023_arduino-c++11": ["-std=c++11", "-DPOINTER_CONTEXT", "-DREPORT_ERROR"],
    "2026_august-c++11": ["-std=c++11", "-DPOINTER_CONTEXT"],
    "2026_august-c++17": ["-std=c++17", "-DPOINTER_CONTEXT"],
    "2026_october-c++17": ["-std=c++17"],
    "2026_october-c++17-namespaced": ["-std=c++17", "-DTFLM_NO_GLOBAL_C_ALIASES"],
    "2026_october-c++20": ["-std=c++20"],
}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_one_operator_for_every_generation_of_tflm(generation: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    objects = [*strict_objects("gcc"), *compiled(HOST, [RUNTIME / "tflm" / "tflm_split_call.c"])]
    include = TESTS / "tflm_headers" / generation.split("-")[0]
    flags = [*GENERATIONS[generation], "-Wall", "-Wextra", "-Werror", f"-I{include}", f"-I{RUNTIME / 'tflm'}"]
    binary, program = tmp_path / "operator", tmp_path / "program"
    sources = [RUNTIME / "tflm" / "tflm_split.cc", TESTS / "runtime_operator_main.cc"]
    run(["g++", *flags, *sources, *objects, "-o", binary])
    program.write_bytes(lut_program())
    assert run([binary, program, "7", "248"]) == ""


def test_a_missing_host_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_library, "LIBRARY_PATH", tmp_path / "none.so")
    with pytest.raises(ToolError, match=r"run: python -m tflm_split\.native\.build"):
        host_library.host_library()


def test_a_host_library_older_than_its_sources_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "old.so"
    library.touch()
    monkeypatch.setattr(host_library, "LIBRARY_PATH", library)
    assert host_library.host_library() == library
    os.utime(library, (0, 0))
    with pytest.raises(ToolError, match=r"build it with python -m tflm_split\.native\.build"):
        host_library.host_library()


def test_a_missing_compiler_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="'no-such-compiler'"):
        compile_host_library(tmp_path / "x.so", cc="no-such-compiler")


def test_a_failing_compiler_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"cannot be compiled with 'cc': .*no-such-flag"):
        compile_host_library(tmp_path / "x.so", cc="cc -fno-such-flag")


def test_a_library_for_macos_does_not_hold_the_folder_it_was_made_in(tmp_path: Path) -> None:
    """Its linker enters the output's path as the library's name, and no two wheels would be the same."""
    cc = tmp_path / "cc"
    cc.write_text(f'#!/bin/sh\necho "$@" >{tmp_path / "said"}\n')
    cc.chmod(0o755)
    for system in ("darwin", "linux"):
        compile_host_library(tmp_path / "x.dylib", cc=str(cc), system=system)
        assert ("-Wl,-install_name,@rpath/x.dylib" in (tmp_path / "said").read_text()) == (system == "darwin")


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_the_sanitized_library_compiles_without_a_warning(name: str) -> None:
    need_linked(str(compiler(name)[0]), ASAN)
    assert sanitized_library(name).is_file()


def test_c_files_are_formatted() -> None:
    if shutil.which("clang-format") is None or " 14." not in run(["clang-format", "--version"]):
        pytest.skip("clang-format 14, whose layout is the rule, is not installed")
    files = [p for folder in (RUNTIME, TESTS) for p in sorted(folder.rglob("*")) if p.suffix in (".c", ".h", ".cc")]
    run(["clang-format", "--dry-run", "-Werror", *files])
