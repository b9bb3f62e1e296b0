/* The contract of the TFLM_SPLIT operator, in C and without any TFLM header: shared by the operator for a
 * TFLM tree (tflm_split.cc) and by the one for the pip interpreter (host/).
 *
 *   inputs:  the region's activation inputs in order, then the program (constant int8 or uint8 tensor)
 *   outputs: the region's activation outputs in order, then the position if the program hands over an output row by row
 *            (int32[2]), then the workspace (int8, as many bytes as the program says)
 *
 * The model's OfflineMemoryAllocation metadata gives the workspace its place in the arena, and puts every
 * input and output tensor into it where the program expects it. Nothing is allocated.
 *
 * Between calls nothing is kept, unless the program is streamed or keeps a state. A state is what the network remembers from one
 * inference to the next. It lies in memory of the operator's own, because the arena's head may serve other models in between,
 * and a reset makes it what it was in the beginning. If the program is streamed, one inference takes several calls, each with the next
 * rows of the input. The workspace holds what is between them, because nobody else writes to it, and a state of
 * tflm_split_call_state_bytes() says how far the inference has got. Small output tensors (1.5 % of the memory) keep their
 * earlier values until the last call, and are zero before the first result. In larger ones, rows of the new result come up
 * as they are made, and other data may lie there before.
 *
 * A program for two memories has its workspace in the arena, and the rest in memory that the caller gives (`slow`). The tensors of the
 * region's border that lie there get their address from the operator in prepare, and TFLM then plans no place for them.
 *
 * An output that is handed over row by row holds those of one call. After each call the position says which: position[0] is
 * the first of them, or -1 if this call has made none. position[1] is the first row of the input that the next call takes, or
 * -1 if it takes none; 0 after the last call, because the next one begins a new inference. */
#ifndef TFLM_SPLIT_CALL_H_
#define TFLM_SPLIT_CALL_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor as the operator sees it: data is NULL in prepare unless it is constant. */
typedef struct tflm_split_tensor {
    const void* data;
    size_t bytes;
} tflm_split_tensor;

/* One call: how many tensors the node has, and how to look at one of them. */
typedef struct tflm_split_call {
    int input_count;
    int output_count;
    tflm_split_tensor (*tensor)(const void* node, int is_output, int index);
    const void* node;
    void* state; /* in invoke, for a program that is streamed, keeps a state or has two memories; else NULL */
    void (*put)(const void* node, int is_output, int index, void* data); /* in prepare: gives a tensor its address */
    void* slow;                                                          /* in prepare: the slow memory, or NULL */
    size_t slow_bytes;
} tflm_split_call;

/* NULL when the operator may run; otherwise why it must not, one sentence. */
const char* tflm_split_call_prepare(const tflm_split_call* call);

/* How many bytes the operator needs from prepare on, 16-aligned; 0 if its program is not streamed, keeps no state and has one
 * memory.
 * tflm_split_call_prepare() must have returned NULL. */
size_t tflm_split_call_state_bytes(const tflm_split_call* call);

/* Makes `state` what it is before the first call of all. NULL, or why it cannot: one sentence about the slow memory. */
const char* tflm_split_call_start(const tflm_split_call* call, void* state);

/* The next call is the first one of a new inference, and nothing is remembered of earlier ones. */
void tflm_split_call_reset(void* state);

/* NULL after the program has run; otherwise why it has not: when the memory plan was not honoured nothing is
 * touched. */
const char* tflm_split_call_invoke(const tflm_split_call* call);

#ifdef __cplusplus
}
#endif

#endif /* TFLM_SPLIT_CALL_H_ */
