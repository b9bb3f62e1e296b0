#include "../split_nn/ops/element_wise_float.c"
