#include "../split_nn/split_nn_optimize.h"
#include "../split_nn/kernels/helium/store_dots.c"
