#include "../split_nn/kernels/portable/resize_nearest.c"
