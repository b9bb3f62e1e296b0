#include "../split_nn/split_nn_quantize_float_mve.c"
