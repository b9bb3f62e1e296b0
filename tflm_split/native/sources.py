"""Where are the C sources of the runtime? In `tflm_runtime_patch/` of a checkout, in the package where it was installed."""

from __future__ import annotations

from pathlib import Path

from tflm_split.errors import ToolError

_PACKAGE = Path(__file__).resolve().parents[1]
RUNTIME_NAME = "tflm_runtime_patch"
_CHECKOUT, _INSTALLED = _PACKAGE.parent / RUNTIME_NAME, _PACKAGE / RUNTIME_NAME

IN_CHECKOUT = (_CHECKOUT / "split_nn").is_dir() and (_PACKAGE.parent / "setup.py").is_file()
"""Whether the package runs from a checkout, where the sources may change after the host library was built."""
RUNTIME_FOLDER = _CHECKOUT if IN_CHECKOUT else _INSTALLED
EXECUTOR_FOLDER = RUNTIME_FOLDER / "split_nn"
"""The folder of `split_nn.h`, the executor's one public header."""


def runtime_path() -> Path:
    """The folder with the C sources of the operator, for firmware: `tflm_runtime_patch`.

    Raises ToolError if this installation lost it.
    """
    if not (RUNTIME_FOLDER / "boards").is_dir() or not (RUNTIME_FOLDER / "src").is_dir():
        raise ToolError("the firmware's C sources are not in this installation: reinstall tflm_split")
    return RUNTIME_FOLDER


def executor_sources() -> tuple[Path, ...]:
    """The C files of the executor and of all its kernels, in path order.

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
