"""What can this machine's compilers do? A test that needs more is skipped, with the tool's own reason."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Sequence

import pytest

from tflm_split.board.boards import Board
from tflm_split.board.toolchain import ARM, RISCV, Toolchain

ASAN = ("-fsanitize=address,undefined",)
FUZZER = ("-fsanitize=fuzzer,address,undefined",)
_PROGRAMS = {
    ASAN: "int main(void) { return 0; }",
    FUZZER: "int LLVMFuzzerTestOneInput(const unsigned char* data, unsigned long size) { return data && size > 9 ? 0 : 0; }",
}


@functools.cache
def why_not_linked(compiler: str, flags: Sequence[str]) -> str | None:
    """Why `compiler` cannot link the smallest program with `flags` (ASAN or FUZZER), in its own words; None if it can."""
    if shutil.which(compiler) is None:
        return f"{compiler} is not installed"
    command = [compiler, *flags, "-x", "c", "-", "-o", "/dev/null"]
    done = subprocess.run(
        command, input=_PROGRAMS[tuple(flags)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode == 0:
        return None
    complaints = done.stderr.splitlines()
    return next((line for line in complaints if "cannot find" in line), (complaints or ["it says nothing"])[0])


def need_linked(compiler: str, flags: Sequence[str]) -> None:
    """Skips the test where `compiler` cannot link with `flags`. Beyond that, a failing build is a fault, not a skip."""
    reason = why_not_linked(compiler, flags)
    if reason is not None:
        pytest.skip(f"{compiler} has no sanitizers here: {reason}")


def missing(toolchain: Toolchain) -> bool:
    """Whether a cross compiler or an emulator is not installed here."""
    return any(shutil.which(tool) is None for tool in (toolchain.compiler, toolchain.emulator))


def needs(*toolchains: Toolchain) -> pytest.MarkDecorator:
    """A mark that skips tests where one of `toolchains` is missing."""
    absent = [t for t in toolchains if missing(t)]
    packages = " ".join(t.debian_packages for t in absent)
    return pytest.mark.skipif(
        bool(absent), reason=f"the cross compiler or the emulator is not installed (Debian: {packages})"
    )


def need_board(board: Board) -> None:
    """Skips the test where firmware for `board` cannot be built and run."""
    if missing(board.toolchain):
        pytest.skip(f"no compiler or no emulator for {board.name} (Debian: {board.toolchain.debian_packages})")


needs_arm = needs(ARM)
needs_riscv = needs(RISCV)
