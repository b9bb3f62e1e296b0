#include "../split_nn/ops/transpose.c"
