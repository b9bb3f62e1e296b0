"""The package's own C code, built for this machine: the operator for the pip interpreter, and inner loops of searches."""

from pathlib import Path

LIBRARY_PATH = Path(__file__).resolve().parent / "libtflm_split_host.so"
"""The host library, where the package's build puts it (`build.py`)."""
