#include "../split_nn/split_nn_optimize.h"
#include "../tflm/tflm_split_call.c"
