"""How do bytes reach the disk so that a file is either the old one or the whole new one?"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tflm_split.errors import InputError

AnyPath = os.PathLike[str] | str
COMMAND = "--force"
"""How a user of the command line says that a file may be replaced."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """Bytes and where they should go. An existing file is replaced only with `force`."""

    path: Path
    data: bytes = field(repr=False)
    force: bool = False


def save(
    data: bytes, path: AnyPath, *, force: bool = False, input_path: AnyPath | None = None, by: str = COMMAND
) -> None:
    """Write `data` to `path` in one step: a temporary file beside it, flushed to disk, then renamed.

    Without `force` it refuses to replace an existing file, or `input_path` under whatever name. It also refuses a
    directory, a missing parent, missing rights and a full disk; `by` is what a refusal tells people to use instead.
    Each refusal is an InputError of one sentence. Whatever
    fails, the old file survives and no temporary file is left. A symbolic link is followed: its target is replaced.
    """
    save_together([NewFile(Path(path), data, force)], input_path=input_path, by=by)


def save_together(files: Sequence[NewFile], *, input_path: AnyPath | None = None, by: str = COMMAND) -> None:
    """`save` for several files: all are complete on disk before the first old file is replaced. Raises InputError."""
    written: list[tuple[str, Path, Path]] = []
    targets: set[str] = set()
    try:
        for file in files:
            with _refusing(file.path):
                if (real := os.path.realpath(file.path)) in targets:
                    raise InputError(f"{file.path}: is to hold two results at once")
                targets.add(real)
                _check_target(file.path, file.force, None if input_path is None else Path(input_path), by)
                target = Path(os.path.realpath(file.path))
                written.append((_write_beside(target, file.data), target, file.path))
        for temporary, target, path in written:
            with _refusing(path):
                os.replace(temporary, target)
    except BaseException:
        for temporary, _, _ in written:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise
    for _, target, _ in written:
        _flush_directory(target.parent)


def check_writable(path: AnyPath, *, force: bool = False, input_path: AnyPath | None = None) -> None:
    """Raise the InputError that `save` would raise for this path now. Called before long work."""
    target = Path(path)
    with _refusing(target):
        _check_target(target, force, None if input_path is None else Path(input_path))
        with tempfile.TemporaryFile(dir=Path(os.path.realpath(target)).parent):
            pass


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn the system's errors in writing `path` into an InputError of one sentence."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"{path}: cannot be written: {reason or error}") from error


def _check_target(target: Path, force: bool, input_path: Path | None, by: str = COMMAND) -> None:
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
        raise InputError(f"{target}: is the input file itself; use {by} to overwrite it")
    raise InputError(f"{target}: exists already; use {by} to overwrite it")


def _write_beside(target: Path, data: bytes) -> str:
    """The path of a complete temporary file next to `target`, with the same rights. Removed again if this fails."""
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


def _flush_directory(directory: Path) -> None:
    """Flush the rename to disk, where the system can. The file is complete either way."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    """The process's umask. It can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
