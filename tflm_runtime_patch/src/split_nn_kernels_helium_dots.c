#include "../split_nn/kernels/helium/dots.c"
