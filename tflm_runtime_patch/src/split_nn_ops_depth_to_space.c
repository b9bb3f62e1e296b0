#include "../split_nn/ops/depth_to_space.c"
