#include "../split_nn/split_nn_depth_to_space.c"
