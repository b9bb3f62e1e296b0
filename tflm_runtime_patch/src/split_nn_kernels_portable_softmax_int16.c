#include "../split_nn/kernels/portable/softmax_int16.c"
