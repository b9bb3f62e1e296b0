"""Firmware without TFLM: a model that is one `TFLM_SPLIT` operator, as C sources that need the executor only.

`NAME_init()` checks the program once, and `NAME_invoke()` runs it. A streamed model has `NAME_begin()` and `NAME_rows()` in
place of the latter. Inputs and outputs are pointers into one static
workspace. The header has macros for their shapes, types and quantisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tflm_split.board.one_region import OneRegion
from tflm_split.errors import ModelError
from tflm_split.export.text import ALIGNAS, byte_lines, comment_text, float_literal
from tflm_split.ir.graph import Tensor
from tflm_split.kinds import OpKind
from tflm_split.program.types import Io

WORKSPACE_ALIGNMENT_BYTES = 16
_C_TYPES = {"INT8": "int8_t", "INT16": "int16_t", "UINT8": "uint8_t", "INT32": "int32_t", "FLOAT32": "float"}


@dataclass(frozen=True, slots=True)
class _Port:
    """One input or output of the model. `name` is like `input0`; `address` is a byte offset into the workspace."""

    name: str
    tensor: Tensor
    address: int
    is_output: bool

    @property
    def c_type(self) -> str:
        if self.tensor.dtype not in _C_TYPES:
            raise ModelError(f"tensor {self.tensor.name!r} is {self.tensor.dtype}, which no program reads or writes")
        return _C_TYPES[self.tensor.dtype]


def standalone_header(region: OneRegion, name: str) -> str:
    """The text of `name.h`, valid C99 and C++. Its symbols begin with `name_`, its macros with `NAME_`."""
    guard = f"{name.upper()}_H_"
    streamed = len(region.program.calls) > 1
    ports = _ports(region)
    inputs = sum(not port.is_output for port in ports)
    macros = "\n".join("".join(f"{line}\n" for line in _macros(name, port)) for port in ports)
    return f"""\
/* A model on the split_nn executor, without TFLM. Build {name}.c and the files split_nn_*.c of tflm_runtime_patch/src,
 * with tflm_runtime_patch/split_nn among the include directories. To leave out what this model does not use, add
 * -DSPLIT_NN_KINDS={region.program.kinds_mask:#x} for all of them, and link with --gc-sections.
 *
 *     if ({name}_init() != 0) ...             once
{_streamed_use(name) if streamed else _use(name)} *
 * Quantised values: real = SCALE * (value - ZERO_POINT). */
#ifndef {guard}
#define {guard}

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {name.upper()}_WORKSPACE_BYTES {region.program.workspace_bytes}
#define {name.upper()}_PROGRAM_BYTES {len(region.blob)}
#define {name.upper()}_INPUT_COUNT {inputs}
#define {name.upper()}_OUTPUT_COUNT {len(ports) - inputs}

{macros}
/* 0, or a split_status: split_nn_status_text() of split_nn.h says what it means. */
int {name}_init(void);
{_streamed_declarations(region, name) if streamed else f"int {name}_invoke(void);"}

#ifdef __cplusplus
}}
#endif

#endif /* {guard} */
"""


def standalone_source(region: OneRegion, name: str) -> str:
    """The text of `name.c`, valid C11 and C++11: the program in flash, the workspace in RAM."""
    accessors = "".join(
        f"\n{_signature(name, port)} {{\n    return ({port.c_type}*)(void*)(workspace + {port.address});\n}}\n"
        for port in _ports(region)
    )
    return f"""\
/* Written by tflm-split export, with {name}.h. */
#include "{name}.h"

{ALIGNAS}
#include "split_nn.h"
{"#include <string.h>" if len(region.program.calls) > 1 else ""}
/* Where the workspace goes, e.g. __attribute__((section(".dtcm"))). */
#ifndef {name.upper()}_WORKSPACE_ATTRIBUTE
#define {name.upper()}_WORKSPACE_ATTRIBUTE
#endif

alignas({WORKSPACE_ALIGNMENT_BYTES}) static uint8_t workspace[{name.upper()}_WORKSPACE_BYTES] {name.upper()}_WORKSPACE_ATTRIBUTE;

alignas({WORKSPACE_ALIGNMENT_BYTES}) static const unsigned char program[{name.upper()}_PROGRAM_BYTES] = {{
{byte_lines(region.blob)}}};

int {name}_init(void) {{
    return (int)split_nn_prepare(program, sizeof program);
}}

{_streamed_functions(name) if len(region.program.calls) > 1 else _functions(name)}{accessors}"""


def _use(name: str) -> str:
    return f"""\
 *     fill {name}_input0()                    before every call: the inputs are overwritten while it runs
 *     if ({name}_invoke() != 0) ...
 *     read {name}_output0()                   before an input is filled again: they may share memory
"""


def _functions(name: str) -> str:
    return f"""\
int {name}_invoke(void) {{
    return (int)split_nn_run(program, workspace);
}}
"""


def _streamed_use(name: str) -> str:
    return f"""\
 *     {name}_begin()                          before every picture, also after one that was broken off
 *     if ({name}_rows(rows) != 0) ...         {name.upper()}_CALLS times, with the next {name.upper()}_ROWS_PER_CALL rows each
 *     read {name}_output0()                   after the last call, before {name}_begin()
 *
 * or, where rows are asked for: {name}_run(next_rows, user) makes all calls of one picture.
"""


def _streamed_declarations(region: OneRegion, name: str) -> str:
    fetch = next(op for op in region.program.ops if op.kind is OpKind.FETCH)
    rows, of_call = region.program.views[fetch.output].row_count, region.program.views[fetch.input]
    row_bytes = region.program.storages[of_call.storage].row_bytes
    upper = name.upper()
    return f"""\
#define {upper}_ROWS {rows}
#define {upper}_ROW_BYTES {row_bytes}
#define {upper}_ROWS_PER_CALL {of_call.row_count}
#define {upper}_CALLS {len(region.program.calls)}

void {name}_begin(void);

/* Takes the next rows, one after the other from `rows` on, and computes all that can be computed with them. They are copied
 * first. The last call of a picture takes what is left of it. An error: there are no more rows in this picture. */
int {name}_rows(const void* rows);

/* Whether the picture has no more rows to come: the outputs hold its results. */
int {name}_done(void);

/* `next_rows` puts `rows` rows to `to`, from row `first_row` of the picture on, and returns 0; any other value ends the run. */
int {name}_run(int (*next_rows)(void* user, uint8_t* to, uint32_t first_row, uint32_t rows), void* user);"""


def _streamed_functions(name: str) -> str:
    return f"""\
static split_stream stream = {{UINT32_MAX, 0}};

void {name}_begin(void) {{
    split_nn_begin(program, &stream);
}}

int {name}_rows(const void* rows) {{
    if (stream.call < {name.upper()}_CALLS) {{
        const split_rows next = split_nn_rows_of_call(program, stream.call);
        memcpy(workspace + next.address, rows, (size_t)next.rows * next.row_bytes);
    }}
    return (int)split_nn_continue(program, workspace, &stream);
}}

int {name}_done(void) {{
    return stream.call == {name.upper()}_CALLS;
}}

int {name}_run(int (*next_rows)(void* user, uint8_t* to, uint32_t first_row, uint32_t rows), void* user) {{
    return (int)split_nn_run_rows(program, workspace, next_rows, user);
}}
"""


def _ports(region: OneRegion) -> list[_Port]:
    """The model's inputs, then its outputs, each in the model's own order."""
    graph, program = region.graph, region.program
    io_of_input: dict[int, Io] = dict(zip(region.model_inputs, program.inputs, strict=True))
    ports = [
        _Port(f"input{k}", graph.tensors[t], io_of_input[k].address, is_output=False)
        for k, t in enumerate(graph.inputs)
    ]
    for k, t in enumerate(graph.outputs):
        io = program.outputs[region.model_outputs[k]]
        ports.append(_Port(f"output{k}", graph.tensors[t], io.address, is_output=True))
    return ports


def _signature(name: str, port: _Port) -> str:
    return f"{'const ' if port.is_output else ''}{port.c_type}* {name}_{port.name}(void)"


def _macros(name: str, port: _Port) -> Iterator[str]:
    prefix, tensor = f"{name}_{port.name}".upper(), port.tensor
    shape = ", ".join(map(str, tensor.shape))
    yield f"/* {comment_text(repr(tensor.name))}: {port.c_type} [{shape}] */"
    yield f"#define {prefix}_BYTES {tensor.bytes}"
    yield f"#define {prefix}_ELEMENTS {tensor.elements}"
    yield f"#define {prefix}_RANK {len(tensor.shape)}"
    if tensor.shape:
        yield f"#define {prefix}_SHAPE {{{shape}}}"
    quantization = tensor.quantization
    if quantization is not None and len(quantization.scales) == 1 == len(quantization.zero_points):
        yield f"#define {prefix}_SCALE {float_literal(quantization.scales[0])}"
        yield f"#define {prefix}_ZERO_POINT ({quantization.zero_points[0]})"
    yield f"{_signature(name, port)};"
