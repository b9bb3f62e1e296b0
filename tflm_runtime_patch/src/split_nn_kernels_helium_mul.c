#include "../split_nn/kernels/helium/mul.c"
