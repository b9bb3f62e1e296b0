#include "../split_nn/kernels/helium/pad.c"
