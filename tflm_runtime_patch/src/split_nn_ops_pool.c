#include "../split_nn/ops/pool.c"
