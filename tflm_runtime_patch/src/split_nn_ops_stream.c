#include "../split_nn/ops/stream.c"
