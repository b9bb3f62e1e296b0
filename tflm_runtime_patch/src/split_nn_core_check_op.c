#include "../split_nn/core/check_op.c"
