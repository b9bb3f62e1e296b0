"""What lies in the fast and in the slow memory, and how much goes from one to the other?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tflm_split.report.record_types import MemoriesRecord
from tflm_split.sizes import format_bytes

if TYPE_CHECKING:
    from tflm_split.lower.compile import Plan
    from tflm_split.memories import Memories
    from tflm_split.search.two_memories import Traffic


def memories_record(
    memories: Memories | None, one_memory_bytes: int, plan: Plan | None, traffic: Traffic | None, head_bytes: int
) -> MemoriesRecord | None:
    """The part of the record about two memories. None where there is one."""
    if memories is None:
        return None
    return {
        "fast_bytes": memories.fast_bytes,
        "slow_bytes": memories.slow_bytes,
        "head_bytes": head_bytes,
        "slow_used_bytes": plan.slow_bytes if plan else 0,
        "one_memory_head_bytes": one_memory_bytes,
        "most_bytes": memories.most_bytes(one_memory_bytes),
        "predicted_slow_read_bytes": traffic.read_bytes if traffic else 0,
        "predicted_slow_written_bytes": traffic.written_bytes if traffic else 0,
    }


def memories_sentence(memories: MemoriesRecord) -> str:
    """The same for people."""
    fast, slow = memories["head_bytes"], memories["slow_used_bytes"]
    if not slow:
        return f"Two memories: all of it fits the fast one, of {format_bytes(memories['fast_bytes'])}."
    share = (fast + slow) / memories["one_memory_head_bytes"]
    return (
        f"Two memories: {format_bytes(fast)} of head in the fast one and {format_bytes(slow)} in the slow one, together "
        f"{share:.2f} times the {format_bytes(memories['one_memory_head_bytes'])} that one memory would take. Steps are predicted "
        f"to read {format_bytes(memories['predicted_slow_read_bytes'])} of the slow one per inference, and to write "
        f"{format_bytes(memories['predicted_slow_written_bytes'])}."
    )
