#include "../split_nn/kernels/portable/element_float.c"
