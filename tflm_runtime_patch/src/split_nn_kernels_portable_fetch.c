#include "../split_nn/kernels/portable/fetch.c"
