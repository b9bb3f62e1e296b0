#include "../split_nn/ops/element_wise.c"
