#include "../split_nn/ops/resize.c"
