#include "../split_nn/kernels/helium/sum_feed.c"
