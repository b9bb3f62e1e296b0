#define SPLIT_NN_COLD 1
#include "../split_nn/split_nn_optimize.h"
#include "../split_nn/ops/matmul.c"
