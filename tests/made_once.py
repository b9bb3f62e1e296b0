"""Files that take long to make and that many tests need are made once per session, by the first worker that asks."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

VARIABLE = "TFLM_SPLIT_TESTS_MADE"
"""The environment variable that names the session's folder. Workers inherit it."""


def begin() -> None:
    """Make the folder of this session."""
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix="tflm_split_tests_")


def end() -> None:
    """Remove the folder of this session."""
    folder = os.environ.pop(VARIABLE, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """The file or folder `name` of this session. If no test has asked for it yet, `make(path)` makes it.

    Without a session (in a script), the process counts as one.
    """
    if VARIABLE not in os.environ:
        begin()
        atexit.register(end)
    path = Path(os.environ[VARIABLE]) / name
    with path.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_name(f"{name}.part")
            _remove(unfinished)  # of a test that failed
            make(unfinished)
            unfinished.rename(path)
    return path
