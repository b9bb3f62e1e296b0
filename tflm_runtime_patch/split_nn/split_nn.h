/* split_nn: runs a TFLM_SPLIT program (generated/split_nn_format.h) on a workspace. C99, no allocation, no globals, no
 * recursion, nothing from libc but string.h, little-endian machines only (the magic number refuses the others).
 *
 * Stack: split_nn_run() needs SPLIT_MAX_WINDOW_ROWS row pointers, one decoded kernel call and the accumulators
 * of one kernel: below 700 bytes on a 32-bit machine with the portable kernels, below 1000 with those for the
 * DSP extension, below 1500 with those for Helium. split_nn_prepare() needs less than 700.
 *
 * A step and its own rows. Rows of different pieces may share addresses as the planner likes; what one step may
 * share with the rows it reads is this, and every variant of a kernel must keep it:
 *
 * 1. Every kernel takes the output's pixels in increasing column order. It writes output pixel x after it has
 *    read all that the pixels before x read, and reads nothing but the windows of pixel x and of later pixels
 *    from then on. So an output pixel may lie on input bytes that only windows of earlier pixels read.
 *
 * 2. Element-wise kernels (ADD, SUB, MUL, MINIMUM, MAXIMUM, SQUARED_DIFFERENCE, PRELU, SOFTMAX, LUT with one-byte
 *    entries, and of int16 and float BINARY, UNARY between elements of one size, SOFTMAX) may write exactly the row
 *    they read: same address, same pixel stride, and for the binary ones an operand that is not broadcast along
 *    columns or channels. PAD may do so when it is a plain copy.
 *
 * 3. Channel-wise kernels (DEPTHWISE with multiplier 1 and pools, of any type) whose window has one column, and
 *    neither stride nor padding along columns, may write exactly one of the rows they read, in the same sense.
 *
 * 4. QUANTIZE_FLOAT may start at the address it reads when its output pixels are not further apart than its
 *    input's.
 *
 * 5. TRANSPOSE_CONV, RESIZE_NEAREST, RESIZE_BILINEAR, GATHER, DEPTH_TO_SPACE, PIXEL_SUM, BATCH_MATMUL and
 *    TRANSPOSE may write on no row they read.
 *
 * 6. The output row of CONV_SUM_LAST may start where its accumulator does.
 *
 * Anything else a step writes must not overlap what it reads. An accumulator overlaps no other row of its step. */
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
    SPLIT_STATUS_COUNT
} split_status;

/* Can this blob be run on every workspace of its workspace_bytes? Reads at most program_bytes bytes. After
 * SPLIT_OK split_nn_run() reads nothing outside the blob and the workspace, writes nothing outside the
 * workspace, and has no undefined behaviour, whatever the workspace holds. */
split_status split_nn_prepare(const void* program, size_t program_bytes);

/* Runs a program that split_nn_prepare() accepted, unchanged since. The workspace holds the inputs at their
 * addresses before, and the outputs afterwards; everything else in it is overwritten. */
split_status split_nn_run(const void* program, uint8_t* workspace);

/* One sentence for a person; never NULL. */
const char* split_nn_status_text(split_status status);

/* About a program that split_nn_prepare() accepted. split_nn_io() counts inputs first, then outputs. */
uint32_t split_nn_workspace_bytes(const void* program);
uint32_t split_nn_input_count(const void* program);
uint32_t split_nn_output_count(const void* program);
const split_io* split_nn_io(const void* program, uint32_t index);

#ifdef __cplusplus
}
#endif

#endif /* SPLIT_NN_H_ */
