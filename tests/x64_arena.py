"""How small may an arena be on the machine that the tests run on? The package predicts it for a 32-bit Arm only."""

from __future__ import annotations

from tflm_split.analysis import arena
from tflm_split.ir.graph import Model
from tflm_split.tflite.reader import offline_offsets

X64 = arena._TemporaryBytes(16, 8, 32, 64, 24)


def minimum_x64_arena_bytes(model: Model, head_bytes: int, tail_bytes: int) -> int:
    """The smallest arena an x86-64 build can start in, given the head and tail it reports (the wheel measures both).

    An upper bound within 32 bytes: the padding before the interface's tensors is not known from the outside.
    """
    graph = model.graph
    interface_bytes = sum(
        X64.pointer + X64.tensor + arena._quantization_bytes(graph.tensors[t], X64)
        for t in graph.inputs + graph.outputs
    )
    scratch_count = arena.scratch_requests(model)
    floor = tail_bytes - interface_bytes + arena._temporary_bytes(model, offline_offsets(model), scratch_count, X64)
    minimum = max(head_bytes + tail_bytes, floor)
    return minimum + -minimum % arena.ARENA_ALIGNMENT_BYTES
