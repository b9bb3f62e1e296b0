#include "../split_nn/kernels/helium/dense_feed.c"
