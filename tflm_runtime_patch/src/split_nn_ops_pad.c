#include "../split_nn/ops/pad.c"
