#include "../split_nn/kernels/portable/feed_int16.c"
