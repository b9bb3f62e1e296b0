#include "../split_nn/kernels/portable/depth_to_space.c"
