#include "../split_nn/kernels/portable/feed_float.c"
