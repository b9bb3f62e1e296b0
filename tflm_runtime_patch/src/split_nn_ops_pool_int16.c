#include "../split_nn/ops/pool_int16.c"
