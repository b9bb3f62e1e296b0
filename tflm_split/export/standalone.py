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
from tflm_split.program.types import Io, Program, View

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
{_streamed_use(region, name) if streamed else _use(region, name)} *
 * Quantised values: real = SCALE * (value - ZERO_POINT). */
#ifndef {guard}
#define {guard}

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {name.upper()}_WORKSPACE_BYTES {region.program.workspace_bytes}
#define {name.upper()}_STATE_BYTES {region.program.state_bytes}
#define {name.upper()}_SLOW_BYTES {region.program.slow_bytes}
#define {name.upper()}_PROGRAM_BYTES {len(region.blob)}
#define {name.upper()}_INPUT_COUNT {inputs}
#define {name.upper()}_OUTPUT_COUNT {len(ports) - inputs}

{macros}
/* 0, or a split_status: split_nn_status_text() of split_nn.h says what it means. */
int {name}_init(void);
{_streamed_declarations(region, name) if streamed else _declarations(region, name)}

#ifdef __cplusplus
}}
#endif

#endif /* {guard} */
"""


def standalone_source(region: OneRegion, name: str) -> str:
    """The text of `name.c`, valid C11 and C++11: the program in flash, the workspace in RAM."""
    accessors = "".join(
        f"\n{_signature(name, port)} {{\n    return ({port.c_type}*)(void*)({_place(region, name, port)});\n}}\n"
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
{_slow_memory(region, name)}
alignas({WORKSPACE_ALIGNMENT_BYTES}) static const unsigned char program[{name.upper()}_PROGRAM_BYTES] = {{
{byte_lines(region.blob)}}};

{_init(region, name)}
{_streamed_functions(region, name) if len(region.program.calls) > 1 else _functions(region, name)}{accessors}"""


def _slow_memory(region: OneRegion, name: str) -> str:
    """The slow memory, if there is one: an array in a section of the user's, or wherever the user says."""
    if not region.program.slow_bytes:
        return ""
    upper = name.upper()
    return f"""
/* Where the slow memory goes: an array with an attribute, e.g. __attribute__((section(".psram"))), or with
 * -D{upper}_SLOW_MEMORY=... a pointer to {upper}_SLOW_BYTES bytes from a multiple of {WORKSPACE_ALIGNMENT_BYTES} on. */
#ifndef {upper}_SLOW_MEMORY
#ifndef {upper}_SLOW_ATTRIBUTE
#define {upper}_SLOW_ATTRIBUTE
#endif
alignas({WORKSPACE_ALIGNMENT_BYTES}) static uint8_t slow_memory[{upper}_SLOW_BYTES] {upper}_SLOW_ATTRIBUTE;
#define {upper}_SLOW_MEMORY slow_memory
#endif
"""


def _place(region: OneRegion, name: str, port: _Port) -> str:
    """Where an input or output is, as a C expression."""
    beyond = port.address - region.program.workspace_bytes
    if region.program.slow_bytes and beyond >= 0:
        return f"{name.upper()}_SLOW_MEMORY + {beyond}"
    return f"workspace + {port.address}"


def _init(region: OneRegion, name: str) -> str:
    """The state, if there is one, and the functions that set it up."""
    check = "split_nn_prepare(program, sizeof program)"
    if not region.program.fills:
        return f"int {name}_init(void) {{\n    return (int){check};\n}}\n"
    return f"""\
/* What the model remembers from one call to the next. */
alignas({WORKSPACE_ALIGNMENT_BYTES}) static uint8_t state[{name.upper()}_STATE_BYTES];

void {name}_reset(void) {{
    split_nn_start(program, state);
}}

int {name}_init(void) {{
    const split_status status = {check};
    if (status == SPLIT_OK) {{
        {name}_reset();
    }}
    return (int)status;
}}
"""


def _declarations(region: OneRegion, name: str) -> str:
    invoke = f"int {name}_invoke(void);"
    if not region.program.fills:
        return invoke
    return f"""\
{invoke}

/* Forgets all earlier calls. So does {name}_init(). */
void {name}_reset(void);"""


def _use(region: OneRegion, name: str) -> str:
    reset = f" *     {name}_reset()                          where the model shall forget what it has heard\n"
    return f"""\
 *     fill {name}_input0()                    before every call: the inputs are overwritten while it runs
 *     if ({name}_invoke() != 0) ...
 *     read {name}_output0()                   before an input is filled again: they may share memory
{reset if region.program.fills else ""}"""


def _functions(region: OneRegion, name: str) -> str:
    run = "split_nn_run(program, workspace)"
    if region.program.fills:
        run = "split_nn_run_with_state(program, workspace, state)"
    elif region.program.slow_bytes:
        run = f"split_nn_run_with_slow_memory(program, workspace, {name.upper()}_SLOW_MEMORY)"
    return f"""\
int {name}_invoke(void) {{
    return (int){run};
}}
"""


_NEXT_ROWS = "int (*next_rows)(void* user, uint8_t* to, uint32_t first_row, uint32_t rows)"
_MADE_ROWS = "int (*made_rows)(void* user, const uint8_t* from, uint32_t first_row, uint32_t rows)"


@dataclass(frozen=True, slots=True)
class _Streams:
    """Which side of a streamed model goes row by row, and what the functions for it take."""

    taken: tuple[View, int] | None
    given: tuple[View, int] | None

    @staticmethod
    def of(program: Program) -> _Streams:
        taken = (found for io in program.inputs if (found := program.streams_at(io)))
        given = (found for io in program.outputs if (found := program.streams_at(io, output=True)))
        return _Streams(next(taken, None), next(given, None))

    def arguments(self, *before: str) -> str:
        """The parameters of a function that hands over rows, if there are any to be handed over."""
        return ", ".join((*before, *((_MADE_ROWS, "void* user") if self.given else ())))

    def run_arguments(self) -> str:
        callbacks = [text for text, found in ((_NEXT_ROWS, self.taken), (_MADE_ROWS, self.given)) if found]
        return ", ".join((*callbacks, "void* user"))


def _streamed_use(region: OneRegion, name: str) -> str:
    streams, upper = _Streams.of(region.program), name.upper()
    callbacks = [text for text, found in (("next_rows", streams.taken), ("made_rows", streams.given)) if found]
    run = f"{name}_run({', '.join((*callbacks, 'user'))}) makes all calls of one inference"
    if not streams.taken:
        return f"""\
 *     fill {name}_input0()                    before every inference
 *     {run}
"""
    rows = f"{name}_rows(rows{', made_rows, user' if streams.given else ''})"
    all_given = streams.given is not None and len(region.program.outputs) == 1
    read = (
        ""
        if all_given
        else f" *     read {name}_output0()                   after the last call, before {name}_begin()\n"
    )
    return f"""\
 *     {name}_begin()                          before every picture, also after one that was broken off
 *     if ({rows} != 0) ...         {upper}_CALLS times, with the next {upper}_ROWS_PER_CALL rows each
{read} *
 * or, where rows are asked for: {run}.
"""


def _streamed_declarations(region: OneRegion, name: str) -> str:
    streams, upper = _Streams.of(region.program), name.upper()
    macros, pushed, callbacks = list[str](), "", list[str]()
    if streams.taken:
        macros += _row_macros(region, upper, "", *streams.taken)
        macros.append(f"#define {upper}_CALLS {sum(region.program.takes)}")
        callbacks.append("`next_rows` puts `rows` rows to `to`, from row `first_row` of the picture on, and returns 0.")
        pushed = f"""
void {name}_begin(void);

/* Takes the next rows, one after the other from `rows` on, and computes all that can be computed with them. They are copied
 * first. The last call of a picture takes what is left of it. An error: there are no more rows in this picture. */
int {name}_rows({streams.arguments("const void* rows")});

/* Whether the picture has no more rows to come: the outputs hold its results. */
int {name}_done(void);
"""
    if streams.given:
        macros += _row_macros(region, upper, "OUTPUT_", *streams.given)
        callbacks.append(
            "`made_rows` takes `rows` rows at `from`, from row `first_row` of the output on, and returns 0."
        )
    said = "\n".join(f" * {sentence}" for sentence in (*callbacks, "Any other value ends the run. */"))
    return "\n".join((*macros, pushed, "/*" + said[2:], f"int {name}_run({streams.run_arguments()});"))


def _row_macros(region: OneRegion, upper: str, word: str, of_call: View, rows: int) -> list[str]:
    return [
        f"#define {upper}_{word}ROWS {rows}",
        f"#define {upper}_{word}ROW_BYTES {region.program.storages[of_call.storage].row_bytes}",
        f"#define {upper}_{word}ROWS_PER_CALL {of_call.row_count}",
    ]


def _streamed_functions(region: OneRegion, name: str) -> str:
    streams = _Streams.of(region.program)
    callbacks = f"{'next_rows' if streams.taken else 'NULL'}, {'made_rows' if streams.given else 'NULL'}"
    pushed = f"""\
static split_stream stream = {{UINT32_MAX, 0}};

void {name}_begin(void) {{
    split_nn_begin(program, &stream);
}}

int {name}_rows({streams.arguments("const void* rows")}) {{
    if (stream.call < split_nn_calls(program)) {{
        const split_rows next = split_nn_rows_of_call(program, stream.call);
        memcpy(workspace + next.address, rows, (size_t)next.rows * next.row_bytes);
    }}
{_push_with_rows_made() if streams.given else "    return (int)split_nn_continue(program, workspace, &stream);"}
}}

int {name}_done(void) {{
    return stream.call == split_nn_calls(program);
}}

"""
    return f"""\
{pushed if streams.taken else ""}int {name}_run({streams.run_arguments()}) {{
    return (int)split_nn_run_rows(program, workspace, {callbacks}, user);
}}
"""


def _push_with_rows_made() -> str:
    """Calls are made up to the next one that takes rows."""
    return """\
    split_status status = SPLIT_OK;
    do {
        const split_rows made = split_nn_rows_made(program, stream.call);
        status = split_nn_continue(program, workspace, &stream);
        if (status == SPLIT_OK && made.rows > 0 &&
            made_rows(user, workspace + made.address, made.first_row, made.rows) != 0) {
            status = SPLIT_ERROR_STOPPED;
        }
    } while (status == SPLIT_OK && stream.call < split_nn_calls(program) &&
             split_nn_rows_of_call(program, stream.call).rows == 0);
    return (int)status;"""


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
