#include "../split_nn/split_nn_pixel_sum.c"
