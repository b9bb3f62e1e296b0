#include "../split_nn/ops/convolution.c"
