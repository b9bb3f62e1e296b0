#include "../split_nn/kernels/portable/resize_bilinear.c"
