/* split_nn: runs a TFLM_SPLIT program (generated/split_nn_format.h) on a workspace.
 *
 * A program is a list of steps. Each computes one row of an operator's output from rows in the workspace, or feeds one
 * row to an accumulator. All addresses are in the program.
 *
 * C99, no allocation, no globals, no recursion. From libc it uses string.h only. Little-endian machines only: on others
 * the magic number does not match, so prepare refuses every program.
 *
 * Stack on a 32-bit machine: split_nn_run() holds SPLIT_MAX_WINDOW_ROWS row pointers, the parameters of one kernel call
 * and one kernel's accumulators. That is below 700 bytes with the portable kernels, below 1200 with the DSP kernels and
 * below 1500 with the Helium kernels. split_nn_prepare() needs less than 700 bytes.
 *
 * OVERLAP: where may a step write its output row?
 *
 * Rows may reuse the addresses of rows that are no longer needed, as the planner likes. Within one step, the output row
 * may overlap a row that the step reads only by these rules. Every variant of a kernel must keep them.
 *
 * 1. Windows. Every kernel computes output pixels in increasing column order. Before it writes output pixel x, it has
 *    read all that earlier pixels need. Afterwards it reads only what pixel x and later ones need. So output pixel x
 *    may overwrite input bytes that only windows of earlier pixels read:
 *
 *        input row        i0  i1  i2  i3  i4  i5        window of output pixel 2: i2 i3 i4
 *        output row   o0  o1  o2                        o2 lies on i1, which only earlier windows read
 *
 * 2. Element-wise kernels may work in place: output and input row have the same address and the same pixel stride.
 *    These are ADD, SUB, MUL, MINIMUM, MAXIMUM, SQUARED_DIFFERENCE, PRELU, SOFTMAX and LUT with one-byte entries, and
 *    for int16 and float BINARY, SOFTMAX, and UNARY between elements of one size. An operand of a binary kernel that is
 *    broadcast along columns or channels may not be overwritten. PAD may work in place if it is a plain copy.
 *
 * 3. Channel-wise kernels (DEPTHWISE with multiplier 1, pools; of any type) may work in place on one of the rows they
 *    read, if the window has one column and there is no stride and no padding along columns.
 *
 * 4. QUANTIZE_FLOAT may start at the address it reads, if its output pixels are no further apart than its input pixels.
 *
 * 5. Kinds whose `in_place` is APART in tflm_split/kinds/ (TRANSPOSE_CONV, PIXEL_SUM, TRANSPOSE and others) write on no
 *    row they read.
 *
 * 6. The output row of CONV_SUM_LAST may start at the address of its accumulator.
 *
 * No other overlap is allowed. An accumulator never overlaps another row of its step, except by rule 6. */
#ifndef SPLIT_NN_H_
#define SPLIT_NN_H_

#include <stddef.h>
#include <stdint.h>

#include "generated/split_nn_format.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The workspace and the program must start at a multiple of this many bytes. */
#define SPLIT_NN_ALIGNMENT 4u

typedef enum split_status {
    SPLIT_OK = 0,
    SPLIT_ERROR_NULL,
    SPLIT_ERROR_ALIGNMENT,
    SPLIT_ERROR_TRUNCATED,
    SPLIT_ERROR_MAGIC,
    SPLIT_ERROR_VERSION,
    SPLIT_ERROR_HEADER,
    SPLIT_ERROR_IO,
    SPLIT_ERROR_STORAGE,
    SPLIT_ERROR_VIEW,
    SPLIT_ERROR_OP,
    SPLIT_ERROR_SHAPE,
    SPLIT_ERROR_WINDOW,
    SPLIT_ERROR_PARAMS,
    SPLIT_ERROR_CONSTANT,
    SPLIT_ERROR_STEP,
    SPLIT_ERROR_ROW,
    SPLIT_ERROR_MOVE,
    SPLIT_ERROR_PAUSE,
    SPLIT_ERROR_STREAM,
    SPLIT_ERROR_STOPPED,
    SPLIT_ERROR_CHECKSUM,
    SPLIT_ERROR_KIND,
    SPLIT_ERROR_STATE,
    SPLIT_ERROR_SLOW_MEMORY,
    SPLIT_STATUS_COUNT
} split_status;

/* Is this blob a program that is safe to run, and as it was made? Reads at most program_bytes bytes.
 *
 * After SPLIT_OK, split_nn_run() with a workspace of workspace_bytes is safe whatever the workspace holds: it reads
 * nothing outside the blob and the workspace, writes nothing outside the workspace, and has no undefined behaviour.
 * The same goes for split_nn_run_with_state() and for split_nn_run_with_slow_memory(), and for the second memory.
 *
 * Last, it compares the program's checksum, which notices every flipped bit. It takes about two instructions per byte.
 * -DSPLIT_NN_NO_CHECKSUM leaves that out, and nothing of the safety above. */
split_status split_nn_prepare(const void* program, size_t program_bytes);

/* Runs a program that split_nn_prepare() has accepted and that has not changed since. The caller puts the inputs at
 * their addresses in the workspace. Afterwards the outputs are at theirs, and all other bytes of it are undefined. */
split_status split_nn_run(const void* program, uint8_t* workspace);

/* STATE. What a network remembers from one inference to the next (the rings of a streaming network) is no part of the
 * workspace, which may serve others in between. It lies in memory of its own, of split_nn_state_bytes() bytes from a multiple
 * of 4 on. split_nn_start() makes it what it is before the first inference, and again when the network shall forget.
 * Afterwards it is the program's: each split_nn_run_with_state() finds it as the one before has left it. Several states for
 * one program are as many independent networks. A program without a state takes NULL. */
uint32_t split_nn_state_bytes(const void* program);
void split_nn_start(const void* program, uint8_t* state);
split_status split_nn_run_with_state(const void* program, uint8_t* workspace, uint8_t* state);

/* TWO MEMORIES. A program may be made for a small fast memory and a large slow one. The workspace lies in the fast one. Of the slow
 * one it needs split_nn_slow_bytes() bytes from a multiple of 4 on, which hold nothing between runs. Inputs and outputs may
 * lie in either: split_nn_place() says where a split_io's address is. A program without a slow memory takes NULL. */
uint32_t split_nn_slow_bytes(const void* program);
uint8_t* split_nn_place(const void* program, uint8_t* workspace, uint8_t* slow, uint32_t address);
split_status split_nn_run_with_slow_memory(const void* program, uint8_t* workspace, uint8_t* slow);

/* STREAMED PROGRAMS take their input or hand over their output a few rows at a time, and need no room for all of it. One
 * picture takes split_nn_calls() calls. Some bring the next rows, and some hand over rows that are done: the tensors that
 * TFLM sees hold those of one call. Between calls nothing but the rows that the next call takes may be written to in the
 * workspace. After the last call the other outputs are at their addresses. A program that is not streamed has one call.
 *
 *     split_stream stream;
 *     split_nn_begin(program, &stream);
 *     while (stream.call < split_nn_calls(program)) {
 *         const split_rows next = split_nn_rows_of_call(program, stream.call);
 *         const split_rows made = split_nn_rows_made(program, stream.call);
 *         ... put next.rows rows at workspace + next.address ...
 *         split_nn_continue(program, workspace, &stream);
 *         ... take made.rows rows from workspace + made.address ...
 *     }
 *
 * `call` counts the calls made. `move` is the executor's own. */
typedef struct split_stream {
    uint32_t call;
    uint32_t move;
} split_stream;

uint32_t split_nn_calls(const void* program);

/* Whether an output is handed over a few rows at a time. */
int split_nn_hands_over(const void* program);

/* Starts a new picture. What is left of an unfinished one is forgotten. */
void split_nn_begin(const void* program, split_stream* stream);

/* Makes one call. SPLIT_ERROR_STREAM after the last one: that picture has no more rows. */
split_status split_nn_continue(const void* program, uint8_t* workspace, split_stream* stream);

/* Which rows call `call` takes, and where they go: `rows` rows of `row_bytes` bytes, one after the other, from byte
 * `address` of the workspace on. The first of them is row `first_row` of the whole input. No rows: it takes none. */
typedef struct split_rows {
    uint32_t address;
    uint32_t first_row;
    uint32_t rows;
    uint32_t row_bytes;
} split_rows;

split_rows split_nn_rows_of_call(const void* program, uint32_t call);

/* The same for the rows of the output that are there after call `call`, until the next one. */
split_rows split_nn_rows_made(const void* program, uint32_t call);

/* Puts `rows` rows to `to`, from row `first_row` of the whole input on, and returns 0. Any other value ends the run. */
typedef int split_next_rows(void* user, uint8_t* to, uint32_t first_row, uint32_t rows);

/* Takes `rows` rows at `from`, which are those from row `first_row` of the whole output on, and returns 0. Any other value
 * ends the run. */
typedef int split_made_rows(void* user, const uint8_t* from, uint32_t first_row, uint32_t rows);

/* Makes all calls of one picture. SPLIT_ERROR_STOPPED when a callback says so. One of an input or output that is not
 * streamed may be NULL. */
split_status split_nn_run_rows(const void* program, uint8_t* workspace, split_next_rows* next_rows,
                               split_made_rows* made_rows, void* user);

/* The status as a sentence in English. Never NULL. */
const char* split_nn_status_text(split_status status);

/* Facts about a program that split_nn_prepare() has accepted. split_nn_io() numbers the inputs first,
 * then the outputs. */
uint32_t split_nn_workspace_bytes(const void* program);
uint32_t split_nn_input_count(const void* program);
uint32_t split_nn_output_count(const void* program);
const split_io* split_nn_io(const void* program, uint32_t index);

#ifdef __cplusplus
}
#endif

#endif /* SPLIT_NN_H_ */
