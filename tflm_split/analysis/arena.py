"""How large an arena does unmodified TFLM need for this model on a 32-bit Arm?

        start of the arena                                            end, 16-aligned
        | head: planned tensors and scratch -->      <-- tail: what the interpreter keeps |

This file adds up TFLM's allocations in the tail, in their order and each with its alignment (micro_allocator.cc,
micro_interpreter.cc), for a set of kernels. The size of the head is an argument: a plan or TFLM itself decides it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tflm_split.analysis.kernel_sets import REFERENCE, KernelSet
from tflm_split.errors import ProgramError
from tflm_split.ir.graph import Graph, Model, Operator, Tensor
from tflm_split.program.format import CUSTOM_CODE
from tflm_split.program.in_model import slow_tensors
from tflm_split.program.sizes import calls_of_program, slow_bytes_of_program, state_bytes_of_program
from tflm_split.tflite.offline_plan import ONLINE
from tflm_split.tflite.reader import offline_offsets

ARENA_ALIGNMENT_BYTES = 16
_POINTER_BYTES = 4

# sizeof on arm-none-eabi: single-arena allocator, greedy planner, MicroAllocator; then what each model adds.
_ALLOCATOR_BYTES = (36, 44, 36)
_BUILTIN_DATA_ALLOCATOR_BYTES = 8
_SUBGRAPH_BYTES = 8
_EVAL_TENSOR_BYTES = 12
_NODE_BYTES = 32
_SCRATCH_HANDLE_BYTES = 4
_TENSOR_BYTES = 32
_AFFINE_QUANTIZATION_BYTES = 12
_SOFTMAX_INT16_TABLE_BYTES = 513 * 2

_STREAM_STATE_BYTES = 12
"""What TFLM_SPLIT keeps between the calls of a streamed program (`tflm_split_call.c`)."""
_BEFORE_STATE_BYTES = 16
"""What it keeps before the state of a program that remembers."""
_SLOW_MEMORY_BYTES = 16
"""What it keeps of a program for two memories."""
_SPARE_SCRATCH_REQUESTS = 12
_PLANNER_BYTES_PER_BUFFER = 40


@dataclass(frozen=True, slots=True)
class _TemporaryBytes:
    """sizeof ScratchBufferRequest, pointer, AllocationInfo, TfLiteTensor and TfLiteAffineQuantization of an ABI."""

    request: int
    pointer: int
    allocation_info: int
    tensor: int
    affine_quantization: int


_ARM32 = _TemporaryBytes(12, 4, 24, _TENSOR_BYTES, _AFFINE_QUANTIZATION_BYTES)


@dataclass(frozen=True, slots=True)
class ArenaPrediction:
    """The arena on a 32-bit Arm, in bytes.

    `arena_bytes` is what `arena_used_bytes()` reports. Planning needs more for a moment, so an arena must have
    `minimum_arena_bytes`. If it is not `exact`, `unknown` says why: operators that were counted as if they kept nothing
    of their own (variables: what they hold), or several subgraphs.
    """

    head_bytes: int
    tail_bytes: int
    minimum_arena_bytes: int
    exact: bool
    unknown: tuple[str, ...]

    @property
    def arena_bytes(self) -> int:
        return self.head_bytes + self.tail_bytes


class _Tail:
    """The end of the arena, allocated downwards."""

    def __init__(self) -> None:
        self.bytes = 0

    def allocate(self, size_bytes: int, alignment_bytes: int) -> None:
        """Allocates below what is there. TFLM aligns the start of an allocation down."""
        self.bytes += size_bytes
        self.bytes += -self.bytes % alignment_bytes

    def persistent(self, size_bytes: int) -> None:
        """AllocatePersistentBuffer."""
        self.allocate(size_bytes, ARENA_ALIGNMENT_BYTES)


def predicted_arm32_arena(model: Model, head_bytes: int, kernels: KernelSet = REFERENCE) -> ArenaPrediction:
    """The arena of unmodified TFLM on a Cortex-M with these kernels and a head of `head_bytes`."""
    return predicted_shared_arena([(model, head_bytes)], kernels)


def predicted_shared_arena(models: Sequence[tuple[Model, int]], kernels: KernelSet = REFERENCE) -> ArenaPrediction:
    """The arena of interpreters that share one MicroAllocator, each with its (model, head), set up in this order.

    The largest head serves all; each interpreter's tail comes below those before it. All are ready at once, and run one
    after the other.
    """
    tail = _Tail()
    for size in _ALLOCATOR_BYTES:
        tail.allocate(size, _POINTER_BYTES)
    head = minimum = 0
    unknown: set[str] = set()
    for model, head_bytes in models:
        unknown |= {op.kind for op in model.graph.operators if op.kind not in kernels.operators}
        if any(other.operators for other in model.other_graphs):
            unknown.add("subgraphs")
        head = max(head, head_bytes)
        minimum = max(minimum, _allocate_model(tail, model, kernels), head + tail.bytes)
    minimum += -minimum % ARENA_ALIGNMENT_BYTES
    named = tuple(sorted(unknown - {"subgraphs"})) + (("subgraphs",) if "subgraphs" in unknown else ())
    return ArenaPrediction(head, tail.bytes, minimum, not unknown, named)


def least_arm32_arena(model: Model, positions: Iterable[int], kernels: KernelSet = REFERENCE) -> int:
    """A lower bound of the arena on a Cortex-M, whatever replaces the other operators of the file.

    It is what TFLM keeps of the operators at these positions, of their tensors and of the variables that they use.
    """
    graph = model.graph
    kept = [graph.operators[k] for k in sorted(set(positions))]
    touched = {t for op in kept for t in (*op.inputs, *op.outputs) if t >= 0}
    tail = _Tail()
    for size in _ALLOCATOR_BYTES:
        tail.allocate(size, _POINTER_BYTES)
    tail.allocate(_EVAL_TENSOR_BYTES * len(touched), _POINTER_BYTES)
    tail.allocate(_NODE_BYTES * len(kept), _POINTER_BYTES)
    _allocate_operators(tail, replace(graph, operators=tuple(kept)), kernels)
    if any(op.kind == "ASSIGN_VARIABLE" for op in kept):
        tail.bytes += sum(_resource_bytes(model))
    return tail.bytes + sum(graph.tensors[t].bytes for t in touched if graph.tensors[t].is_variable)


def _allocate_model(tail: _Tail, model: Model, kernels: KernelSet) -> int:
    """Allocates all that one interpreter keeps; the bytes that planning needs on the way, with the tail as it is then."""
    graph = model.graph
    tail.allocate(_BUILTIN_DATA_ALLOCATOR_BYTES, _POINTER_BYTES)
    tail.allocate(_SUBGRAPH_BYTES * model.subgraph_count, _POINTER_BYTES)
    tail.allocate(_EVAL_TENSOR_BYTES * len(graph.tensors), _POINTER_BYTES)
    tail.allocate(_NODE_BYTES * len(graph.operators), _POINTER_BYTES)
    _allocate_operators(tail, graph, kernels)
    for nbytes in _resource_bytes(model):
        tail.persistent(nbytes)
    offsets = offline_offsets(model)
    scratch_count = scratch_requests(model, kernels)
    if scratch_count:
        tail.allocate(_SCRATCH_HANDLE_BYTES * scratch_count, _POINTER_BYTES)
    for tensor in graph.tensors:
        if tensor.is_variable and (offsets is None or offsets[tensor.index] == ONLINE):
            tail.persistent(tensor.bytes)
    needed = tail.bytes + _temporary_bytes(model, offsets, scratch_count, _ARM32)
    for interface in (graph.inputs, graph.outputs):
        _allocate_interface(tail, [graph.tensors[t] for t in interface], kernels.tensor_bytes)
    return needed


def scratch_requests(model: Model, kernels: KernelSet = REFERENCE) -> int:
    """How many scratch buffers the kernels request for the main graph."""
    scratch = kernels.scratch(model)
    return sum(len(scratch(model.graph, op)) for op in model.graph.operators)


def _allocate_operators(tail: _Tail, graph: Graph, kernels: KernelSet) -> None:
    """Allocates the builtin parameters of all operators, then what their `init` needs, then what their `prepare` needs."""
    sizes = [kernels.bytes_of(graph, op) for op in graph.operators]
    for size in sizes:
        if size.params_bytes:
            tail.allocate(size.params_bytes, size.params_alignment_bytes)
    for size in sizes:
        if size.data_bytes:
            tail.persistent(size.data_bytes)
    for op, size in zip(graph.operators, sizes, strict=True):
        channels = _per_channel_entries(graph, op, kernels) if op.inputs else 0
        if channels:
            tail.persistent(4 * channels)
            tail.persistent(4 * channels)
        if op.kind == "SOFTMAX" and graph.tensors[op.inputs[0]].dtype == "INT16":
            tail.persistent(_SOFTMAX_INT16_TABLE_BYTES)
            tail.persistent(_SOFTMAX_INT16_TABLE_BYTES)
        if op.kind == f"CUSTOM:{CUSTOM_CODE}" and (kept := _kept_between_calls(graph, op)):
            tail.persistent(kept)
        for nbytes in kernels.kept(graph, op):
            tail.persistent(nbytes)
        if size.copies_output_shape:
            tail.persistent(4 + 4 * len(graph.tensors[op.outputs[0]].shape))


def _resource_bytes(model: Model) -> list[int]:
    """Bytes of what each variable of VAR_HANDLE holds. What TFLM keeps of it besides is not known here."""
    found: dict[object, int] = {}
    for graph in (model.graph, *model.other_graphs):
        handles = {op.outputs[0]: op.options.get("shared_name") for op in graph.operators if op.kind == "VAR_HANDLE"}
        for op in graph.operators:
            if op.kind == "ASSIGN_VARIABLE":
                found.setdefault(handles.get(op.inputs[0]), graph.tensors[op.inputs[1]].bytes)
    return list(found.values())


def _kept_between_calls(graph: Graph, op: Operator) -> int:
    """Bytes that a TFLM_SPLIT operator keeps between calls. A program that cannot be read is none of ours."""
    try:
        program = graph.tensors[op.inputs[-1]].data or b""
        state_bytes = state_bytes_of_program(program)
        if state_bytes:
            return _BEFORE_STATE_BYTES + state_bytes
        if slow_bytes_of_program(program):
            return _SLOW_MEMORY_BYTES
        return _STREAM_STATE_BYTES if calls_of_program(program) > 1 else 0
    except (ProgramError, IndexError):
        return 0


def _per_channel_entries(graph: Graph, op: Operator, kernels: KernelSet) -> int:
    """Channels for which the kernel keeps a multiplier and a shift in RAM."""
    is_float = graph.tensors[op.inputs[0]].dtype not in ("INT8", "INT16")
    if is_float and op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D") and not kernels.float_multipliers:
        return 0
    if op.kind in ("CONV_2D", "TRANSPOSE_CONV"):
        return graph.tensors[op.inputs[1]].shape[0]
    if op.kind == "DEPTHWISE_CONV_2D":
        return graph.tensors[op.inputs[1]].shape[3]
    if op.kind == "FULLY_CONNECTED":
        quantization = graph.tensors[op.inputs[1]].quantization
        if quantization is not None and len(quantization.scales) > 1:
            return len(quantization.scales)
    return 0


def _allocate_interface(tail: _Tail, tensors: list[Tensor], tensor_bytes: int) -> None:
    """Allocates an array of pointers, then per tensor a TfLiteTensor and its quantisation. Scales stay in the file."""
    tail.persistent(_POINTER_BYTES * len(tensors))
    for tensor in tensors:
        tail.allocate(tensor_bytes, _POINTER_BYTES)
        tail.allocate(_quantization_bytes(tensor, _ARM32), _POINTER_BYTES)


def _quantization_bytes(tensor: Tensor, abi: _TemporaryBytes) -> int:
    quantization = tensor.quantization
    if quantization is None or not quantization.scales or not quantization.zero_points:
        return 0
    return abi.affine_quantization + 4 + 4 * len(quantization.scales)


def _temporary_bytes(model: Model, offsets: tuple[int, ...] | None, scratch_count: int, abi: _TemporaryBytes) -> int:
    """Bytes that planning needs for a moment: scratch requests, allocation records and the planner's own arrays."""
    tensors = model.graph.tensors
    planned = scratch_count - len(slow_tensors(model.graph))
    for tensor in tensors:
        placed_here = not tensor.is_variable or (offsets is not None and offsets[tensor.index] != ONLINE)
        planned += 1 if tensor.bytes and not tensor.is_constant and placed_here else 0
    records = (
        abi.request * (scratch_count + _SPARE_SCRATCH_REQUESTS)
        + abi.pointer * model.subgraph_count
        + abi.allocation_info * (len(tensors) + scratch_count)
    )
    return records + -records % ARENA_ALIGNMENT_BYTES + _PLANNER_BYTES_PER_BUFFER * planned
