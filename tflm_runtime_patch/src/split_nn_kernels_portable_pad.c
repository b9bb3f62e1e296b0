#include "../split_nn/kernels/portable/pad.c"
