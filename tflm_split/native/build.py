"""Finds and builds the C runtime for this machine, the host library.

The wheel ships it; `host_library()` is its path. It holds the `TFLM_SPLIT` operator for the pip `tflite-micro`
interpreter, and `split_nn_prepare` / `split_nn_run`, which ctypes can call on a plain buffer. `compile_host_library()`
makes it from the C sources of a checkout. The package's build and the tests call that. `python -m tflm_split.native.build`
puts a new one into the package.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from tflm_split.errors import ToolError
from tflm_split.native import LIBRARY_PATH

_HERE = Path(__file__).resolve().parent
RUNTIME_FOLDER = _HERE.parents[1] / "tflm_runtime_patch"
EXECUTOR_FOLDER = RUNTIME_FOLDER / "split_nn"
"""The folder of `split_nn.h`, the executor's one public header. Both folders exist only in a checkout."""

_SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
_COMPILE_TIMEOUT_S = 300


def host_library() -> Path:
    """The packaged host library. Raises ToolError if this installation lacks it, or if its C sources have changed since."""
    if not LIBRARY_PATH.is_file():
        raise ToolError("the C runtime for this machine is missing: reinstall tflm_split with a C compiler present")
    if is_stale():
        raise ToolError(
            "the C runtime for this machine is older than its sources: build it with python -m tflm_split.native.build"
        )
    return LIBRARY_PATH


def is_stale() -> bool:
    """Whether a C file of the checkout was changed after the host library was built; never without a checkout."""
    if not executor_sources():
        return False
    files = (*host_sources(), *executor_headers(), *RUNTIME_FOLDER.glob("*/*.h"), *_HERE.glob("*.h"))
    return LIBRARY_PATH.stat().st_mtime < max(path.stat().st_mtime for path in files)


def executor_sources() -> tuple[Path, ...]:
    """The C files of the executor and of all its kernels, in path order. Empty without a checkout.

    Files in different folders may have the same name. A build that puts all objects into one folder should compile
    `executor_units()` instead.
    """
    return tuple(sorted(EXECUTOR_FOLDER.rglob("*.c")))


def executor_headers() -> tuple[Path, ...]:
    """Every header of the executor, in path order."""
    return tuple(sorted(EXECUTOR_FOLDER.rglob("*.h")))


def executor_units() -> tuple[Path, ...]:
    """The same sources under unique names: `src/split_nn_kernels_dsp_conv.c` includes `kernels/dsp/conv.c`.

    `scripts/write_integrations.py` writes these files.
    """
    return tuple(RUNTIME_FOLDER / "src" / unit_name(source) for source in executor_sources())


def unit_name(source: Path) -> str:
    """The name of the file in `src/` that includes this source."""
    return "_".join((EXECUTOR_FOLDER.name, *source.relative_to(EXECUTOR_FOLDER).parts))


def host_sources() -> tuple[Path, ...]:
    """Every C file of the host library, including the inner loops of searches. Raises ToolError if one is missing."""
    shim = (RUNTIME_FOLDER / "tflm" / "tflm_split_call.c", RUNTIME_FOLDER / "host" / "pip_operator.c")
    loops = sorted(_HERE.glob("*.c"))
    sources = (*executor_sources(), *shim, *loops)
    if not executor_sources() or not all(path.is_file() for path in (*shim, *loops)):
        raise ToolError("the sources of the C runtime are not there: build from a checkout of tflm_split")
    return sources


def compile_host_library(output: Path, *, sanitize: bool = False, cc: str | None = None) -> None:
    """Writes the host library to `output` (its directory is made).

    Raises ToolError with the compiler's first complaint. `cc` is a command, `$CC` or `cc` when absent. With `sanitize`
    the address and undefined-behaviour sanitizers are compiled in; whoever loads the library must load their runtime
    first.
    """
    compiler = shlex.split(cc or os.environ.get("CC") or "cc")
    mode = _SANITIZERS if sanitize else ("-O3",)
    sources = [str(path) for path in host_sources()]
    command = [*compiler, "-std=c99", *mode, "-fPIC", "-shared", *sources, "-o", str(output), "-ldl"]
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise ToolError(f"the C runtime cannot be compiled with {compiler[0]!r}: {fault}") from fault
    if done.returncode != 0:
        complaints = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        reason = complaints[0] if complaints else f"exit code {done.returncode}"
        raise ToolError(f"the C runtime cannot be compiled with {compiler[0]!r}: {reason}")


if __name__ == "__main__":
    compile_host_library(LIBRARY_PATH)
