#include "../split_nn/kernels/helium/quantize_float.c"
