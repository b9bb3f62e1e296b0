"""What takes long to make and many tests need is made once a session, by whichever worker comes first."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

VARIABLE = "TFLM_SPLIT_TESTS_MADE"
"""Names the session's folder in the environment: workers inherit it."""


def begin() -> None:
    """Makes the folder of this session."""
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix="tflm_split_tests_")


def end() -> None:
    """Removes it."""
    folder = os.environ.pop(VARIABLE, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """The file or folder `name` of this session. `make(path)` makes it where no test has asked for it yet.

    Where there is no session (in a script), the process is one.
    """
    if VARIABLE not in os.environ:
        begin()
        atexit.register(end)
    path = Path(os.environ[VARIABLE]) / name
    with path.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_name(f"{name}.part")
            make(unfinished)
            unfinished.rename(path)
    return path
