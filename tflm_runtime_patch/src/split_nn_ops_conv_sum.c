#include "../split_nn/ops/conv_sum.c"
