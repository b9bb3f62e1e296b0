#include "../split_nn/kernels/portable/softmax.c"
