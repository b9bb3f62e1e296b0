#include "../split_nn/split_nn_optimize.h"
#include "../split_nn/ops/element_wise_int16.c"
