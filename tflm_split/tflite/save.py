"""How do bytes reach the disk so that a file is either the old one or the whole new one?"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from tflm_split.errors import InputError


def save(
    data: bytes, path: os.PathLike[str] | str, *, force: bool = False, input_path: os.PathLike[str] | str | None = None
) -> None:
    """Write `data` to `path` in one step: a temporary file beside it, flushed to disk, then renamed.

    Without `force` an existing file is refused, and so is `input_path` itself under any name. A directory, a missing
    parent, missing rights and a full disk are refused with one sentence each. Whatever fails, the old file survives and
    no temporary file is left. A symbolic link is followed: its target is replaced, not the link. Raises InputError.
    """
    target = Path(path)
    try:
        _check_target(target, force, None if input_path is None else Path(input_path))
        _replace(Path(os.path.realpath(target)), data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"{target}: cannot be written: {reason or error}") from error


def _check_target(target: Path, force: bool, input_path: Path | None) -> None:
    if target.is_dir():
        raise InputError(f"{target}: is a directory")
    if not target.exists():
        return
    if not target.is_file():
        raise InputError(f"{target}: is not a regular file")
    if force:
        if not os.access(target, os.W_OK):
            raise InputError(f"{target}: is write-protected")
        return
    if input_path is not None and input_path.exists() and os.path.samefile(target, input_path):
        raise InputError(f"{target}: is the input file itself; use --force to overwrite it")
    raise InputError(f"{target}: exists already; use --force to overwrite it")


def _replace(target: Path, data: bytes) -> None:
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _flush_directory(target.parent)


def _flush_directory(directory: Path) -> None:
    """Make the rename itself durable, where the system can; the file is complete either way."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    """The process's umask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
