#include "../split_nn/ops/matmul.c"
