#include "../split_nn/kernels/portable/squared_difference.c"
