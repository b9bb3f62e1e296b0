/* Do storages, views, steps and moves stay inside the workspace, the second memory and the program? */
#include "kind.h"

/* May rows of the storage move, and does the table of their moves lie in the program? */
static int table_of_moves_fits(const uint8_t* program, const split_storage* storage) {
    const uint64_t table_bytes = (uint64_t)storage->row_count * (split_entry_bytes(storage) + 2u) + 2u;
    return SPLIT_NN_HAS(SPLIT_MOVES_BIT) && storage->flags == SPLIT_STORAGE_MOVES &&
           (storage->kind == SPLIT_STORAGE_TABLE16 || storage->kind == SPLIT_STORAGE_TABLE32) &&
           split_lies_in(storage->where, table_bytes, sizeof(split_header), split_header_of(program)->total_bytes);
}

split_status split_check_storage(const uint8_t* program, uint32_t index) {
    const split_header* header = split_header_of(program);
    const split_storage* storage = split_storage_at(program, index);
    const uint64_t all_bytes = (uint64_t)storage->row_bytes * storage->row_count;
    const uint64_t table_bytes = (uint64_t)storage->row_count * split_entry_bytes(storage);
    int fits = 0;
    switch (storage->kind) {
        case SPLIT_STORAGE_AFFINE:
            fits = split_lies_in_memory(header, storage->where, all_bytes);
            break;
        case SPLIT_STORAGE_CONSTANT:
            fits = storage->where % SPLIT_STORAGE_ALIGNMENT == 0 &&
                   split_lies_in(storage->where, all_bytes, header->constants_offset, header->total_bytes);
            break;
        case SPLIT_STORAGE_TABLE16:
        case SPLIT_STORAGE_TABLE32:
            fits = storage->where % 4u == 0 &&
                   split_lies_in(storage->where, table_bytes, sizeof(split_header), header->total_bytes);
            for (uint32_t row = 0; fits && row < storage->row_count; ++row) {
                uint32_t offset = split_row_offset(program, storage, row);
                fits = offset == SPLIT_NOWHERE || split_lies_in_memory(header, offset, storage->row_bytes);
            }
            break;
        default:
            break;
    }
    if (storage->flags != 0) {
        fits = fits && table_of_moves_fits(program, storage);
    }
    return fits && storage->row_bytes > 0 && storage->row_count > 0 ? SPLIT_OK : SPLIT_ERROR_STORAGE;
}

split_status split_check_view(const uint8_t* program, uint32_t index) {
    const split_header* header = split_header_of(program);
    const split_view* view = split_view_at(program, index);
    if (view->storage >= header->storage_count || view->reserved != 0 || view->row_count == 0 ||
        view->column_count == 0 || view->channel_count == 0 ||
        (view->element_bytes != 1 && view->element_bytes != 2 && view->element_bytes != 4) ||
        view->pixel_stride_bytes > INT32_MAX) {
        return SPLIT_ERROR_VIEW;
    }
    const split_storage* storage = split_storage_at(program, view->storage);
    const uint64_t pixel_bytes = (uint64_t)view->channel_count * view->element_bytes;
    const uint64_t row_bytes = (uint64_t)(view->column_count - 1u) * view->pixel_stride_bytes + pixel_bytes;
    if (!split_lies_in(view->first_row, view->row_count, 0, storage->row_count) ||
        !split_lies_in(view->offset_bytes, row_bytes, 0, storage->row_bytes) ||
        (view->column_count > 1 && view->pixel_stride_bytes < pixel_bytes)) {
        return SPLIT_ERROR_VIEW;
    }
    if (view->element_bytes == 1) {
        return SPLIT_OK;
    }
    if (view->pixel_stride_bytes % view->element_bytes != 0) {
        return SPLIT_ERROR_VIEW;
    }
    for (uint32_t row = 0; row < view->row_count; ++row) {
        uint32_t offset = split_row_offset(program, storage, view->first_row + row);
        if (offset != SPLIT_NOWHERE && (offset + view->offset_bytes) % view->element_bytes != 0) {
            return SPLIT_ERROR_VIEW;
        }
    }
    return SPLIT_OK;
}

split_status split_check_step(const uint8_t* program, uint32_t index) {
    const split_step step = split_step_at(program, index);
    if (step.op >= split_header_of(program)->op_count) {
        return SPLIT_ERROR_STEP;
    }
    const split_op* op = split_op_at(program, step.op);
    const split_kind_rule* rule = split_rule_of(op->kind); /* not NULL: split_check_op() has passed */
    const int feeds = rule->accumulator == 1;
    const int by_input = feeds || SPLIT_NN_IS(op, SPLIT_OP_EMIT);
    const uint32_t row = feeds ? 0 : step.row % split_view_at(program, op->output)->row_count;
    if (step.row >= split_view_at(program, by_input ? op->input : op->output)->row_count) {
        return SPLIT_ERROR_STEP;
    }
    const int found = split_has_address(program, op->output, row) &&
                      (rule->accumulator == 0 || split_has_address(program, op->accumulator, row)) &&
                      rule->reads(program, op, step.row);
    return found ? SPLIT_OK : SPLIT_ERROR_ROW;
}

/* Moves must be sorted by storage, row and step. Each must lie where its storage's table looks for the row's moves. */
split_status split_check_move(const uint8_t* program, uint32_t index) {
    const split_header* header = split_header_of(program);
    const split_move* move = split_move_at(program, index);
    if (header->move_count > UINT16_MAX || move->step >= header->step_count || move->storage >= header->storage_count) {
        return SPLIT_ERROR_MOVE;
    }
    const split_storage* storage = split_storage_at(program, move->storage);
    if (storage->flags != SPLIT_STORAGE_MOVES || move->row >= storage->row_count) {
        return SPLIT_ERROR_MOVE;
    }
    const uint16_t* own = split_first_moves(program, storage) + move->row;
    const uint32_t first = split_row_offset(program, storage, move->row);
    if (index < own[0] || index >= own[1] || !split_lies_in(first, storage->row_bytes, 0, header->workspace_bytes) ||
        !split_lies_in(move->address, storage->row_bytes, 0, header->workspace_bytes) ||
        (move->address - first) % SPLIT_MOVE_ALIGN != 0) {
        return SPLIT_ERROR_MOVE;
    }
    if (index > 0) {
        const split_move* before = split_move_at(program, index - 1u);
        if (!split_moves_after(move, before->storage, before->row, before->step)) {
            return SPLIT_ERROR_MOVE;
        }
    }
    return SPLIT_OK;
}

/* If a storage's rows move, its table must lead each row to the row's own moves and to no others. */
split_status split_check_first_moves(const uint8_t* program, uint32_t index) {
    const split_storage* storage = split_storage_at(program, index);
    if (storage->flags == 0) {
        return SPLIT_OK;
    }
    const uint16_t* first = split_first_moves(program, storage);
    for (uint32_t row = 0; row < storage->row_count; ++row) {
        if (first[row] > first[row + 1u] || first[row + 1u] > split_header_of(program)->move_count) {
            return SPLIT_ERROR_MOVE;
        }
        for (uint32_t i = first[row]; i < first[row + 1u]; ++i) {
            if (!split_moves_row(split_move_at(program, i), index, row)) {
                return SPLIT_ERROR_MOVE;
            }
        }
    }
    return SPLIT_OK;
}

/* The chain must visit each move once, in the order of steps. It is walked for as many hops as there are moves. If it
 * is at its end then, no move came twice: a chain that comes back to a move never ends. */
split_status split_check_order_of_moves(const uint8_t* program) {
    const uint32_t count = split_header_of(program)->move_count;
    uint32_t step = 0;
    uint32_t next = split_first_move(program);
    for (uint32_t hops = 0; hops < count; ++hops) {
        if (next >= count || split_move_at(program, next)->step < step) {
            return SPLIT_ERROR_MOVE;
        }
        step = split_move_at(program, next)->step;
        next = split_move_after(program, next);
    }
    return next == count ? SPLIT_OK : SPLIT_ERROR_MOVE;
}
