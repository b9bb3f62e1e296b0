#include "../split_nn/ops/convolution_float.c"
