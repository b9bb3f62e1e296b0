/* Compares a processor's own kernels with the portable ones, on the processor: both are linked, the portable ones
 * under names of their own, and every random case is run on two copies of the same memory. */
#ifndef VARIANTS_H_
#define VARIANTS_H_

#include <stdint.h>

#include "kernels/kernels.h"

/* The portable kernels' names; the build gives them to the compiler as macros. */
__typeof__(split_nn_conv_row) portable_conv_row;
__typeof__(split_nn_depthwise_row) portable_depthwise_row;
__typeof__(split_nn_average_pool_row) portable_average_pool_row;
__typeof__(split_nn_max_pool_row) portable_max_pool_row;
__typeof__(split_nn_add_row) portable_add_row;
__typeof__(split_nn_mul_row) portable_mul_row;
__typeof__(split_nn_lut_row) portable_lut_row;
__typeof__(split_nn_quantize_float_row) portable_quantize_float_row;
__typeof__(split_nn_pad_row) portable_pad_row;
__typeof__(split_nn_sum_row) portable_sum_row;
__typeof__(split_nn_sum_finish) portable_sum_finish;
__typeof__(split_nn_dense_row) portable_dense_row;
__typeof__(split_nn_dense_finish) portable_dense_finish;

/* --- random.c: xorshift, the same on every machine */
void random_seed(uint32_t seed);
uint32_t random_bits(void);
int32_t random_between(int32_t low, int32_t high); /* both included */
int random_one_in(int32_t n);
int32_t random_of(const int32_t* choices, int32_t count);
#define RANDOM_OF(...) \
    random_of((const int32_t[]){__VA_ARGS__}, (int32_t)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

/* Random bytes; some of the time all the same, or nothing but extremes. */
void random_int8s(int8_t* to, int32_t count);
/* Any int32: small, large, extreme, next to a power of two. */
int32_t random_int32(void);
/* A multiplier and a shift: most of the time as a converter makes them, sometimes anything the format allows. */
int32_t random_multiplier(void);
int32_t random_shift(void);
/* low <= high within int8. */
void random_range(int32_t* low, int32_t* high);

/* --- memory.c: two workspaces with the same contents, and constants that end where the RAM ends */
#define WORKSPACE_BYTES 40960
typedef enum side { PORTABLE, VARIANT } side;
extern uint8_t memory_workspace[2][WORKSPACE_BYTES];

/* A new case: noise in both workspaces, nothing placed. */
void memory_reset(void);
/* Room for `bytes` in the workspace, from any address (or a multiple of four); -1 when there is none. */
int32_t memory_place(int32_t bytes, int aligned);
void memory_write(int32_t offset, const void* from, int32_t bytes);
void memory_write_random(int32_t offset, int32_t bytes);
static inline void* memory_at(side of, int32_t offset) {
    return memory_workspace[of] + offset;
}
/* Constants go to the end of the RAM, the last one placed lowest; the first one placed ends with it, so that
 * reading beyond it faults. NULL when there is no room. */
void* memory_constant(int32_t bytes, int32_t alignment);
/* Whether the two workspaces are equal to the last byte. */
int memory_is_equal(void);

/* --- cases: each draws a case from the generator, runs both kernels, returns 1 if the memories agree */
int case_conv(void);
int case_depthwise(void);
int case_max_pool(void);
int case_average_pool(void);
int case_add(void);
int case_mul(void);
int case_lut(void);
int case_quantize_float(void);
int case_pad(void);
int case_sum(void);
int case_dense(void);
int case_requantization(void);
int case_conv_int16(void);
int case_binary_int16(void);

/* A window over some rows, its input in the workspace, and an output that lies beside the input or on bytes of it
 * that only earlier windows read. */
typedef struct scene {
    split_window window;
    split_pixels in;
    split_pixels out;
    int32_t rows[32];     /* offset in the workspace, or -1: padding */
    int32_t constant_row; /* which row lies among the constants instead; or -1 */
    const int8_t* constant;
    int32_t output;
    const int8_t* pointers[32];
} scene;

/* Draws all but the channels and the window's rows and columns (and the input's columns, unless these are 0);
 * returns 0 when it does not fit. `channel_wise`: output channel c reads input channel c alone. */
int scene_place(scene* at, int channel_wise);
/* The rows' addresses on one side. */
const int8_t* const* scene_rows(scene* at, side of);

/* A requantisation with tables of its own. */
int draw_requantization(split_requantization* to, int32_t channels);

#endif /* VARIANTS_H_ */
