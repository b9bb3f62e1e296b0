"""Where are the cross compiler and the emulator on this machine?

Whatever is missing is a ToolError of one sentence.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tflm_split.errors import ToolError

COMPILER = "arm-none-eabi-gcc"
EMULATOR = "qemu-system-arm"
DEBIAN_PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"

_COMPILE_TIMEOUT_S = 300


def find_tool(name: str) -> str:
    """The path of a tool. Raises ToolError, which names the Debian packages to install, when it is missing."""
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} is not on this machine; on Debian: apt install {DEBIAN_PACKAGES}")
    return path


def require_tools() -> None:
    """Raise ToolError for the first tool that is missing."""
    for name in (COMPILER, EMULATOR):
        find_tool(name)


def compiler_version() -> str:
    """Name and version of the cross compiler: `arm-none-eabi-gcc 12.2.1`."""
    text = run_tool([find_tool(COMPILER), "-dumpfullversion"], Path.cwd(), "the cross compiler does not run")
    return f"{COMPILER} {text.strip()}"


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
        raise ToolError(f"{failure}: {_first_complaint(done.stderr) or f'exit code {done.returncode}'}")
    return done.stdout


def _first_complaint(stderr: str) -> str:
    """The line that says most: an overflow, an error, or else the first. If newlib is missing, it names the package."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for pattern in (r"overflowed by", r"will not fit", r"undefined reference", r"\berror\b"):
        for line in lines:
            if re.search(pattern, line):
                missing = re.search(r"(string\.h|stdint\.h): No such file|cannot find -lc", line)
                return line + (f" (on Debian: apt install {DEBIAN_PACKAGES})" if missing else "")
    return lines[0] if lines else ""
