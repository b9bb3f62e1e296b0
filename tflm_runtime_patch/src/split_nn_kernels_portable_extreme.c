#include "../split_nn/kernels/portable/extreme.c"
