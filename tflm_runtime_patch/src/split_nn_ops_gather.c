#include "../split_nn/ops/gather.c"
