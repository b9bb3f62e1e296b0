#include "../split_nn/ops/int16.c"
