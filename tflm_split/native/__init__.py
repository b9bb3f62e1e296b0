"""The package's own C, built for this machine: the operator for the pip interpreter, and the inner loops of searches."""

from pathlib import Path

LIBRARY_PATH = Path(__file__).resolve().parent / "libtflm_split_host.so"
"""Where the package's build leaves the host library (`build.py`)."""
