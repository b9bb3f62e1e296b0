/* Do all rows that a step reads have addresses? Rules that several families share; each family's own
 * are in its file. */
#include "ops.h"

/* Element-wise and feeding ops read the row of the same number. */
int split_reads_same(const uint8_t* program, const split_op* op, uint32_t row) {
    return split_has_address(program, op->input, row);
}

/* Two operands. One that is broadcast has a single row, which every step reads. */
static int operand_has_address(const uint8_t* program, uint32_t view, uint32_t row) {
    return split_has_address(program, view, split_view_at(program, view)->row_count == 1 ? 0 : row);
}

int split_reads_operands(const uint8_t* program, const split_op* op, uint32_t row) {
    return operand_has_address(program, op->input, row) && operand_has_address(program, op->input2, row);
}

/* The rows of a window. Those outside the input are padding. */
int split_reads_window(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_window_params* window = (const split_window_params*)split_at(program, op->params_offset);
    for (uint32_t k = 0; k < window->kernel_rows; ++k) {
        if (!split_tap_has_address(program, op->input, split_window_row(window, row, k))) {
            return 0;
        }
    }
    return 1;
}
