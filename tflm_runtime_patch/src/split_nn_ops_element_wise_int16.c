#include "../split_nn/ops/element_wise_int16.c"
