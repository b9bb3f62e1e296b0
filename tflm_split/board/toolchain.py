"""Where are the cross compiler and the emulator on this machine?

Whatever is missing is a ToolError of one sentence.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tflm_split.errors import ToolError


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What firmware for one family of cores is built with and runs on.

    `folder`, in `tflm_runtime_patch/boards/`, holds the family's startup code and its counter of instructions. `flags` go to
    compiler and linker. `debian_packages` has all tools.
    """

    folder: str
    compiler: str
    emulator: str
    debian_packages: str
    flags: tuple[str, ...]


ARM = Toolchain(
    "arm",
    "arm-none-eabi-gcc",
    "qemu-system-arm",
    "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm",
    ("-mthumb",),
)
RISCV = Toolchain(
    "riscv",
    "riscv64-unknown-elf-gcc",
    "qemu-system-riscv32",
    "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc",
    ("--specs=picolibc.specs", "-mcmodel=medany"),
)

_COMPILE_TIMEOUT_S = 300


def find_tool(name: str) -> str:
    """The path of a tool. Raises ToolError, which names the Debian packages to install, when it is missing."""
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} is not on this machine; on Debian: apt install {_packages_with(name)}")
    return path


def _packages_with(tool: str) -> str | None:
    """The Debian packages of the family of cores that `tool` is for; None for another tool."""
    return next((t.debian_packages for t in (ARM, RISCV) if tool in (t.compiler, t.emulator)), None)


def require_tools(toolchain: Toolchain) -> None:
    """Raise ToolError for the first tool that is missing."""
    for name in (toolchain.compiler, toolchain.emulator):
        find_tool(name)


def compiler_version(toolchain: Toolchain) -> str:
    """Name and version of the cross compiler: `arm-none-eabi-gcc 12.2.1`."""
    compiler = toolchain.compiler
    text = run_tool([find_tool(compiler), "-dumpfullversion"], Path.cwd(), "the cross compiler does not run")
    return f"{compiler} {text.strip()}"


def run_tool(command: Sequence[str], folder: Path, failure: str) -> str:
    """The standard output of a command run in `folder`.

    Raises ToolError when it fails: `failure`, then the most telling line of its output.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMPILE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{failure}: {error}") from error
    if done.returncode != 0:
        raise ToolError(
            f"{failure}: {_first_complaint(done.stderr, Path(command[0]).name) or f'exit code {done.returncode}'}"
        )
    return done.stdout


def _first_complaint(stderr: str, command: str) -> str:
    """The line that says most: an overflow, an error, or else the first. If the C library is missing, it names the package."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for pattern in (r"overflowed by", r"will not fit", r"undefined reference", r"\berror\b"):
        for line in lines:
            if re.search(pattern, line):
                missing = re.search(r"(string\.h|stdint\.h|picolibc\.specs): No such file|cannot find -lc", line)
                packages = _packages_with(command)
                return line + (f" (on Debian: apt install {packages})" if missing and packages else "")
    return lines[0] if lines else ""
