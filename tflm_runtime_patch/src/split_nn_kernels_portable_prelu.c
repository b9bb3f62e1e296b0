#include "../split_nn/kernels/portable/prelu.c"
