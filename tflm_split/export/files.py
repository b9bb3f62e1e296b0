"""Which files does an export consist of, and how are they written to a folder?"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tflm_split.board.one_region import one_region
from tflm_split.errors import InputError, ModelError, ProgramError
from tflm_split.export import FORMATS
from tflm_split.export.c_array import array_header, array_source, xxd_source
from tflm_split.export.standalone import standalone_header, standalone_source
from tflm_split.export.text import checked_name, xxd_name
from tflm_split.ir.graph import Model
from tflm_split.tflite.save import AnyPath, NewFile, save_together


@dataclass(frozen=True, slots=True)
class Export:
    """(file name, text) of each file, in the order of the report.

    `no_standalone` says why there are no sources without TFLM; None when there are.
    """

    files: tuple[tuple[str, str], ...]
    no_standalone: str | None


def exported(model: Model, file_name: str, array_format: str, name: str = "model") -> Export:
    """The model as C sources.

    With format `c`, the array is called `NAME_data`, in `NAME_data.c` and `NAME_data.h`. With `xxd` it is in `NAME_data.h`,
    called as `xxd -i file_name` calls it. A model that is one `TFLM_SPLIT` operator also becomes `NAME.c` and `NAME.h`,
    which need no TFLM.

    Raises InputError for a name that is not a C identifier or an unknown format, ProgramError for a damaged program.
    """
    array = f"{checked_name(name)}_data"
    if array_format == "c":
        header = f"{array}.h"
        files = [(f"{array}.c", array_source(model, array, header)), (header, array_header(model, array))]
    elif array_format == "xxd":
        files = [(f"{array}.h", xxd_source(model, xxd_name(file_name)))]
    else:
        raise InputError(f"{array_format!r} is not an export format; there are: {', '.join(FORMATS)}")
    try:
        region = one_region(model)
    except (ProgramError, ModelError):
        raise
    except InputError as reason:
        return Export(tuple(files), str(reason))
    files += [(f"{name}.c", standalone_source(region, name)), (f"{name}.h", standalone_header(region, name))]
    return Export(tuple(files), None)


def write_export(
    export: Export, folder: AnyPath, *, force: bool = False, input_path: AnyPath | None = None
) -> list[Path]:
    """Write all files, or none, and return their paths. The folder is made if its parent exists.

    Raises InputError when a file cannot be written, or exists already and `force` is not given.
    """
    target = Path(folder)
    made = False
    try:
        if not target.is_dir():
            os.mkdir(target)
            made = True
    except OSError as error:
        raise InputError(f"{target}: cannot be made a folder: {error.strerror}") from error
    files: Sequence[NewFile] = [NewFile(target / name, text.encode("ascii"), force) for name, text in export.files]
    try:
        save_together(files, input_path=input_path)
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                target.rmdir()
        raise
    return [file.path for file in files]
