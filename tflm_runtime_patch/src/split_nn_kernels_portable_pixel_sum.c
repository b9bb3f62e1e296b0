#include "../split_nn/kernels/portable/pixel_sum.c"
