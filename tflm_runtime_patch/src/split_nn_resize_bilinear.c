#include "../split_nn/split_nn_resize_bilinear.c"
