#include "../split_nn/ops/pixel_sum.c"
