#include "../split_nn/ops/binary_float.c"
