#include "../split_nn/kernels/portable/add.c"
