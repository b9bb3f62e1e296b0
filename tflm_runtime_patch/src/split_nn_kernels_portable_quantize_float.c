#include "../split_nn/kernels/portable/quantize_float.c"
