#include "../split_nn/ops/float.c"
