#include "../split_nn/ops/checks.c"
