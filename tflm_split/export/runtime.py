"""How does the operator get into a firmware project? As a folder with the C sources and the files that its build looks for."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tflm_split.errors import InputError
from tflm_split.ir.graph import Model
from tflm_split.native.sources import runtime_path
from tflm_split.program.decode import decode
from tflm_split.program.in_model import programs_of

CONFIG = "split_nn/split_nn_config.h"
"""The file that marks a folder as a copy of the runtime."""
_SHARED = ("README.md", "split_nn", "src", "tflm")

BUILDS: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "cmake": (
            ("CMakeLists.txt",),
            "set(TFLM_SPLIT_TFLM_LIBRARY my_tflm)   # the target you link as TFLM; leave it out for the executor alone\n"
            "add_subdirectory({folder} tflm_split)\n"
            "target_link_libraries(firmware PRIVATE tflm_split)",
        ),
        "make": (
            ("Makefile_internal.inc",),
            "make -f tensorflow/lite/micro/tools/make/Makefile EXTERNAL_DIR={folder} ... microlite",
        ),
        "arduino": (
            ("library.properties",),
            "{folder} belongs into the sketchbook's libraries/; in the sketch, after TFLM's own header:\n"
            "#include <tflm_split.h>",
        ),
        "esp-idf": (
            ("CMakeLists.txt", "idf_component.yml"),
            "{folder} belongs into the project's components/; in main/CMakeLists.txt: REQUIRES {name}",
        ),
        "zephyr": (
            ("zephyr",),
            "list(APPEND ZEPHYR_EXTRA_MODULES {folder})   # in CMakeLists.txt, before find_package(Zephyr)\n"
            "CONFIG_TFLM_SPLIT=y                          # in prj.conf",
        ),
    }
)
"""Name of a build -> the files it needs beside the sources, and the lines that the user adds to the project."""


def kinds_of(models: Sequence[Model]) -> int:
    """The kinds of op that the programs of `models` use, as a mask. Raises InputError for a model that is not split."""
    mask = 0
    for model in models:
        programs = programs_of(model)
        if not programs:
            raise InputError(f"{model.name}: holds no TFLM_SPLIT operator; `tflm-split optimize` writes models that do")
        for blob in programs.values():
            mask |= decode(blob).kinds_mask
    return mask


def runtime_files(build: str, kinds_mask: int = 0) -> dict[str, bytes]:
    """Every file of a copy for `build`, by its path in it. A mask of 0 leaves in all kinds of op."""
    root = runtime_path()
    if build not in BUILDS:
        raise InputError(f"{build!r} is no build that is known; there are: {', '.join(BUILDS)}")
    found: dict[str, bytes] = {}
    for name in (*_SHARED, *BUILDS[build][0]):
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found[file.relative_to(root).as_posix()] = file.read_bytes()
    license_file = next((p for p in (root / "LICENSE", root.parent / "LICENSE") if p.is_file()), None)
    if license_file is not None:
        found["LICENSE"] = license_file.read_bytes()
    if kinds_mask:
        found[CONFIG] = _with_kinds(found[CONFIG], kinds_mask)
    return found


def _with_kinds(config: bytes, mask: int) -> bytes:
    end = b"\n#endif /* SPLIT_NN_CONFIG_H_ */"
    kinds = (
        "\n/* The kinds of op that the models need for which this copy was made; link with --gc-sections. */\n"
        f"#ifndef SPLIT_NN_KINDS\n#define SPLIT_NN_KINDS UINT64_C({mask:#x})\n#endif\n"
    )
    return config.replace(end, kinds.encode() + end)


def write_runtime(folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write a copy of the runtime to `folder`, whole or not at all.

    An existing folder must be empty, or an earlier copy and `force` given. Raises InputError otherwise.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file, not a folder to write to")
        taken = folder.is_dir() and any(folder.iterdir())
        if taken and not (folder / CONFIG).is_file():
            raise InputError(f"{folder}: is not empty, and no copy of the runtime; name a folder of its own")
        if taken and not force:
            raise InputError(f"{folder}: holds a copy of the runtime already; --force replaces it")
        _replace(folder, files, taken)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _replace(folder: Path, files: Mapping[str, bytes], taken: bool) -> None:
    target = Path(os.path.realpath(folder))
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name, data in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(data)
        fresh.chmod(0o755)
        if taken:
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            os.replace(target, old)
            os.replace(fresh, target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                target.rmdir()
            os.replace(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
