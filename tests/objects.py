"""C files are compiled once per session for all tests that compile the same files with the same command."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from made_once import made_once

from tflm_split.native.build import RUNTIME_FOLDER, compile_host_library, executor_units

STRICT = ("-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wcast-align", "-Wvla")
"""The warnings that the runtime is free of."""
HOST = ("gcc", "-std=c99", "-O2", *STRICT)
"""How tests compile the executor for this machine, where they do not need anything special."""


def compiled(command: Sequence[str | Path], sources: Sequence[Path]) -> list[Path]:
    """The objects of `sources`, in their order, each called after its source, in a folder that must not be written to.

    Fails with the compiler's complaint. What the compiler writes beside an object (stack usage, call graph) is there, too.
    """
    words = [*map(str, command), "-c", *map(str, sources)]
    key = sha256("\0".join((*words, _runtime_digest(), *map(_digest, sources))).encode()).hexdigest()[:24]

    def make(folder: Path) -> None:
        folder.mkdir()
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"

    folder = made_once(f"objects_{key}", make)
    return [folder / f"{source.stem}.o" for source in sources]


def host_executor() -> list[Path]:
    """The objects of the whole executor, for this machine."""
    return compiled(HOST, executor_units())


def sanitized_library(compiler: str = "gcc") -> Path:
    """The host library with the address and undefined-behaviour sanitizers, compiled with all warnings."""
    command = " ".join((compiler, *STRICT))
    return made_once(f"sanitized_{compiler}.so", lambda to: compile_host_library(to, sanitize=True, cc=command))


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@cache
def _runtime_digest() -> str:
    """A hash of every file of the runtime: units of `src/` and headers are included by what is compiled."""
    files = sorted(path for path in RUNTIME_FOLDER.rglob("*") if path.suffix in (".c", ".h", ".S", ".cc"))
    return sha256("".join(map(_digest, files)).encode()).hexdigest()
