#include "../split_nn/ops/binary_int16.c"
