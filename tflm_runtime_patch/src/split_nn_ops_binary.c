#include "../split_nn/ops/binary.c"
