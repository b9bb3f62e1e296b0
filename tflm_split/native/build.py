"""Finds and builds the C runtime for this machine, the host library.

The wheel of a platform ships it; `host_library()` is its path. It holds `split_nn_prepare` / `split_nn_run`, which ctypes
can call on a plain buffer, the inner loops of searches and, on Linux, the `TFLM_SPLIT` operator for the pip `tflite-micro`
interpreter. `compile_host_library()` makes it from the C sources. The package's build and the tests call that.
`python -m tflm_split.native.build` puts a new one into the package, for an installation that came without.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tflm_split.errors import ToolError
from tflm_split.native import LIBRARY_PATH
from tflm_split.native.sources import (
    EXECUTOR_FOLDER,
    IN_CHECKOUT,
    RUNTIME_FOLDER,
    executor_headers,
    executor_sources,
    executor_units,
    unit_name,
)

__all__ = [
    "EXECUTOR_FOLDER", "RUNTIME_FOLDER", "compile_host_library", "executor_headers", "executor_sources", "executor_units",
    "host_library", "host_sources", "is_stale", "unit_name",
]  # fmt: skip

_HERE = Path(__file__).resolve().parent
_SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
_COMPILERS = ("cc", "gcc", "clang")
_COMPILE_TIMEOUT_S = 600


def host_library() -> Path:
    """The packaged host library. Raises ToolError if this installation lacks it, or if its C sources have changed since."""
    if not LIBRARY_PATH.is_file():
        raise ToolError(
            "the C runtime for this machine is missing: with a C compiler present, run: python -m tflm_split.native.build"
        )
    if is_stale():
        raise ToolError(
            "the C runtime for this machine is older than its sources: build it with python -m tflm_split.native.build"
        )
    return LIBRARY_PATH


def is_stale() -> bool:
    """Whether a C file of the checkout was changed after the host library was built; never without a checkout."""
    if not IN_CHECKOUT:
        return False
    files = (*host_sources(), *executor_headers(), *RUNTIME_FOLDER.glob("*/*.h"), *_HERE.glob("*.h"))
    return LIBRARY_PATH.stat().st_mtime < max(path.stat().st_mtime for path in files)


def host_sources(system: str = sys.platform) -> tuple[Path, ...]:
    """Every C file of the host library on a system, including the inner loops of searches.

    The operator for the TFLM wheel is there on Linux only, as that wheel is. Raises ToolError if a file is missing.
    """
    shim = (RUNTIME_FOLDER / "tflm" / "tflm_split_call.c", RUNTIME_FOLDER / "host" / "pip_operator.c")
    loops = sorted(_HERE.glob("*.c"))
    sources = (*executor_sources(), *(shim if system == "linux" else ()), *loops)
    if not executor_sources() or not loops or not all(path.is_file() for path in sources):
        raise ToolError("the sources of the C runtime are not there: reinstall tflm_split")
    return sources


def compile_host_library(
    output: Path,
    *,
    sanitize: bool = False,
    cc: str | None = None,
    system: str = sys.platform,
    timeout_s: float = _COMPILE_TIMEOUT_S,
) -> None:
    """Writes the host library to `output` (its directory is made).

    Raises ToolError with the compiler's first complaint. `cc` is a command; when absent it is `$CC`, or the first of cc, gcc
    and clang that is there. It may be a cross compiler for another `system`. With `sanitize` the address and
    undefined-behaviour sanitizers are compiled in; whoever loads the library must load their runtime first.
    """
    compiler = shlex.split(cc or os.environ.get("CC") or _first_compiler())
    mode = _SANITIZERS if sanitize else ("-O3", "-g0")
    sources = [str(path) for path in host_sources(system)]
    position_independent = () if system in ("win32", "cygwin") else ("-fPIC",)
    libraries = ("-ldl", "-lm") if system == "linux" else ()
    # A fused multiply-add would change float results where the processor has it: TFLM's wheel has none.
    flags = ("-std=c99", "-ffp-contract=off", "-DSPLIT_NN_STRICT_FLOAT", *mode, *position_independent, "-shared")
    # A library of macOS holds a name of its own, which is the path it was written to unless one is given.
    named = (f"-Wl,-install_name,@rpath/{output.name}",) if system == "darwin" else ()
    command = [*compiler, *flags, *sources, "-o", str(output), *named, *libraries]
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise ToolError(f"the C runtime cannot be compiled: {compiler[0]!r} took more than {timeout_s:g} s") from None
    except OSError as fault:
        raise ToolError(f"the C runtime cannot be compiled with {compiler[0]!r}: {fault}") from fault
    if done.returncode != 0:
        complaints = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        reason = complaints[0] if complaints else f"exit code {done.returncode}"
        raise ToolError(f"the C runtime cannot be compiled with {compiler[0]!r}: {reason}")


def _first_compiler() -> str:
    return next((name for name in _COMPILERS if shutil.which(name)), _COMPILERS[0])


if __name__ == "__main__":
    compile_host_library(LIBRARY_PATH)
