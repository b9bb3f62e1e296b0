#include "../split_nn/ops/convolution_int16.c"
