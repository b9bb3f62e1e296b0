/* Does an op name views that exist and have the types its kind needs? Does the kind's own check pass? */
#include "kind.h"

split_status split_check_op(const uint8_t* program, uint32_t index) {
    const split_header* header = split_header_of(program);
    const split_op* op = split_op_at(program, index);
    const split_kind_rule* rule = split_rule_of(op->kind);
    if (rule == NULL && split_kind_exists(op->kind)) {
        return SPLIT_ERROR_KIND;
    }
    if (rule == NULL || op->reserved != 0 || op->output >= header->view_count || op->input >= header->view_count ||
        (rule->operands == 2 ? op->input2 >= header->view_count : op->input2 != SPLIT_NONE) ||
        (rule->accumulator ? op->accumulator >= header->view_count : op->accumulator != SPLIT_NONE)) {
        return SPLIT_ERROR_OP;
    }
    split_op_views views = {split_view_at(program, op->output), split_view_at(program, op->input), NULL, NULL};
    int sound = !split_is_constant(program, views.output) && (views.input->element_bytes & rule->input_sizes) != 0 &&
                (views.output->element_bytes & rule->output_sizes) != 0;
    if (rule->operands == 2) {
        views.input2 = split_view_at(program, op->input2);
        sound = sound && (views.input2->element_bytes & rule->input_sizes) != 0;
    }
    if (rule->accumulator) {
        views.accumulator = split_view_at(program, op->accumulator);
        sound = sound && views.accumulator->element_bytes == 4 && !split_is_constant(program, views.accumulator);
    }
    if (!sound) {
        return SPLIT_ERROR_OP;
    }
    if (op->params_offset % 4u != 0 ||
        !split_lies_in(op->params_offset, rule->params_bytes, sizeof(split_header), header->total_bytes)) {
        return SPLIT_ERROR_PARAMS;
    }
    return rule->check(program, op, &views);
}
