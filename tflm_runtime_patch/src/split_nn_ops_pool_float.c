#include "../split_nn/ops/pool_float.c"
