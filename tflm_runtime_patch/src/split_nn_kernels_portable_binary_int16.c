#include "../split_nn/split_nn_optimize.h"
#include "../split_nn/kernels/portable/binary_int16.c"
