#include "../split_nn/ops/reads.c"
