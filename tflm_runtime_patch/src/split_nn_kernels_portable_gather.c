#include "../split_nn/kernels/portable/gather.c"
