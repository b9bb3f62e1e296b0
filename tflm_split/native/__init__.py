"""The package's own C code, built for this machine: the executor, the operator for the pip interpreter, and inner loops of
searches."""

import sys
from pathlib import Path

_SUFFIXES = {"win32": ".dll", "cygwin": ".dll", "darwin": ".dylib"}


def library_name(system: str = sys.platform) -> str:
    """The file name of the host library on a system, named as `sys.platform` names it."""
    return f"libtflm_split_host{_SUFFIXES.get(system, '.so')}"


LIBRARY_PATH = Path(__file__).resolve().parent / library_name()
"""The host library, where the package's build puts it (`build.py`)."""
