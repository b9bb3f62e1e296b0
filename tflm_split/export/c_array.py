"""The model file as a C array: aligned as TFLM needs it, in flash, with notes for the firmware around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tflm_split.analysis.arena import predicted_arm32_arena
from tflm_split.analysis.tflm_head import predicted_head_bytes, unknown_scratch
from tflm_split.export.text import ALIGNAS, byte_lines, comment_text
from tflm_split.ir.graph import Model
from tflm_split.program.format import CUSTOM_CODE
from tflm_split.program.in_model import slow_memory_bytes

MODEL_ALIGNMENT_BYTES = 16
"""The alignment of a .tflite file's first byte that the buffers inside it rely on."""

RESOLVER_LINE = 'resolver.AddCustom("TFLM_SPLIT", tflm_split::Register_TFLM_SPLIT());  // #include "tflm_split.h"'
_SPLIT_KIND = f"CUSTOM:{CUSTOM_CODE}"


def array_source(model: Model, name: str, header: str) -> str:
    """A file in C11 or C++11 that defines `alignas(16) const unsigned char name[]` and `name_len`; `header` declares them."""
    return (
        f"/* {_title(model)}. Valid C11 and C++11. */\n"
        f'#include "{header}"\n\n'
        f"{ALIGNAS}\n"
        f"alignas({MODEL_ALIGNMENT_BYTES}) const unsigned char {name}[] = {{\n{byte_lines(model.original)}}};\n\n"
        f"const unsigned int {name}_len = {len(model.original)};\n"
    )


def array_header(model: Model, name: str) -> str:
    """The header that declares what `array_source` defines. Its comment says what the firmware needs."""
    guard = f"{name.upper()}_H_"
    return (
        f"/* {_title(model)}.\n *\n"
        + "".join(f" * {line}".rstrip() + "\n" for line in firmware_notes(model))
        + f" */\n#ifndef {guard}\n#define {guard}\n\n"
        + '#ifdef __cplusplus\nextern "C" {\n#endif\n\n'
        + f"extern const unsigned char {name}[];\nextern const unsigned int {name}_len;\n\n"
        + f"#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {guard} */\n"
    )


def xxd_source(model: Model, name: str) -> str:
    """One file as from `xxd -i`, but in flash and aligned. It can replace such a file where one is included."""
    return (
        f"/* {_title(model)}, as from `xxd -i`, but const and aligned.\n"
        " * Include it in one source file only.\n *\n"
        + "".join(f" * {line}".rstrip() + "\n" for line in firmware_notes(model))
        + f" */\n{ALIGNAS}\n"
        + f"alignas({MODEL_ALIGNMENT_BYTES}) const unsigned char {name}[] = {{\n{byte_lines(model.original)}}};\n"
        + f"const unsigned int {name}_len = {len(model.original)};\n"
    )


def firmware_notes(model: Model) -> Iterator[str]:
    """Lines for whoever writes the firmware: the arena to set aside, and the operators for the op resolver."""
    prediction = predicted_arm32_arena(model, predicted_head_bytes(model))
    unknown = sorted({*prediction.unknown, *unknown_scratch(model)})
    minimum = prediction.minimum_arena_bytes
    yield "Tensor arena, predicted for TFLM on a 32-bit Arm with the reference kernels:"
    yield f"    alignas({MODEL_ALIGNMENT_BYTES}) static uint8_t tensor_arena[{minimum}];"
    yield f"arena_used_bytes() then says {prediction.arena_bytes}: head {prediction.head_bytes}, tail {prediction.tail_bytes}."
    if unknown:
        yield comment_text(f"At least: what these take for themselves is not known: {', '.join(unknown)}.")
    kinds = list(dict.fromkeys(op.kind for op in model.graph.operators))
    stock = sorted(kind for kind in kinds if kind != _SPLIT_KIND)
    if stock:
        yield "Optimised kernels of the stock operators may ask for scratch memory beyond that."
    yield ""
    yield f"Op resolver: tflite::MicroMutableOpResolver<{len(kinds)}>, with"
    if _SPLIT_KIND in kinds:
        yield f"    {RESOLVER_LINE}"
    if stock:
        yield comment_text(f"    and the stock operators {', '.join(stock)}")
    if slow := slow_memory_bytes(model):
        yield ""
        yield "A slow memory besides, wherever the device has one, handed over before AllocateTensors():"
        yield f"    alignas({MODEL_ALIGNMENT_BYTES}) static uint8_t slow_memory[{slow}];"
        yield "    tflm_split::SetSlowMemory(slow_memory, sizeof slow_memory);"


def _title(model: Model) -> str:
    digest = hashlib.sha256(model.original).hexdigest()
    return f"{comment_text(model.name)}.tflite, {len(model.original)} bytes, sha256 {digest[:16]}"
