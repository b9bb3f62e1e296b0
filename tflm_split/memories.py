"""How do people say that a device has a fast and a slow memory? `fast=64KB,slow=8MB`, and `total=96KB` where both are scarce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tflm_split.errors import InputError
from tflm_split.sizes import parse_bytes

TOTAL_SHARE = 1.1
"""Both memories together take at most so many times what one memory would, unless the user says how much they may."""
MEMORY_HELP = "fast=SIZE,slow=SIZE[,total=SIZE]"
_NAMES = ("fast", "slow", "total")


@dataclass(frozen=True, slots=True)
class Memories:
    """What the device has of both. `total_bytes` is the most that both may take together; None: `TOTAL_SHARE` decides."""

    fast_bytes: int
    slow_bytes: int
    total_bytes: int | None = None

    def __str__(self) -> str:
        total = "" if self.total_bytes is None else f",total={self.total_bytes}"
        return f"fast={self.fast_bytes},slow={self.slow_bytes}{total}"

    def most_bytes(self, one_memory_bytes: int) -> int:
        """The most that both may take together, where one memory would take `one_memory_bytes`."""
        return int(one_memory_bytes * TOTAL_SHARE) if self.total_bytes is None else self.total_bytes


def parse_memories(value: str | Mapping[str, Any]) -> Memories:
    """The memories that a text says, or a mapping with the same names. Raises InputError for anything else."""
    if isinstance(value, str):
        pairs = [part.partition("=")[::2] for part in value.split(",")]
        given: dict[str, Any] = {name.strip(): size for name, size in pairs}
        doubled = len(given) < len(pairs)
    elif isinstance(value, Mapping):
        given, doubled = dict(value), False
    else:
        given, doubled = {}, False
    if doubled or not {"fast", "slow"} <= set(given) <= set(_NAMES):
        raise InputError(f"{value!r} does not say how large two memories are; write {MEMORY_HELP}")
    return Memories(**{f"{name}_bytes": parse_bytes(size) for name, size in given.items()})
