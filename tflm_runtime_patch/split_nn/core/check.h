/* The parts of split_nn_prepare(), in the order in which they must be called: each relies on the ones before it. */
#ifndef SPLIT_NN_CHECK_H_
#define SPLIT_NN_CHECK_H_

#include "../split_nn.h"
#include "program.h"

/* Does [offset, offset + bytes) lie in [low, high)? */
static inline int split_lies_in(uint64_t offset, uint64_t bytes, uint64_t low, uint64_t high) {
    return low <= offset && offset <= high && bytes <= high - offset;
}

/* Does [address, address + bytes) lie in the workspace, or in the second memory behind it? */
static inline int split_lies_in_memory(const split_header* header, uint64_t address, uint64_t bytes) {
    const uint64_t end = (uint64_t)header->workspace_bytes + header->second_bytes;
    return split_lies_in(address, bytes, 0, header->workspace_bytes) ||
           (SPLIT_NN_HAS(SPLIT_STATE_BIT) && split_lies_in(address, bytes, header->workspace_bytes, end));
}

/* a * b; if that is 2^32 or more, 2^32, which is above every legal size. */
static inline uint64_t split_capped_product(uint64_t a, uint32_t b) {
    const uint64_t cap = UINT64_C(1) << 32;
    return a >= cap || a * b >= cap ? (b == 0 ? 0 : cap) : a * b;
}

split_status split_check_storage(const uint8_t* program, uint32_t index);
split_status split_check_view(const uint8_t* program, uint32_t index);
split_status split_check_op(const uint8_t* program, uint32_t index);
split_status split_check_step(const uint8_t* program, uint32_t index);
split_status split_check_move(const uint8_t* program, uint32_t index);
split_status split_check_order_of_moves(const uint8_t* program);
split_status split_check_pauses(const uint8_t* program);
split_status split_check_first_moves(const uint8_t* program, uint32_t index);

#endif /* SPLIT_NN_CHECK_H_ */
