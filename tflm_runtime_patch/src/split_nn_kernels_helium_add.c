#include "../split_nn/kernels/helium/add.c"
