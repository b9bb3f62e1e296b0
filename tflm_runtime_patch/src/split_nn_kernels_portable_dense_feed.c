#include "../split_nn/kernels/portable/dense_feed.c"
