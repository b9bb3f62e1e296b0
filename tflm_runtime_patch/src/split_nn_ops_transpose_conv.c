#include "../split_nn/ops/transpose_conv.c"
