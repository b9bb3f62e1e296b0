#include "../split_nn/kernels/helium/store.c"
