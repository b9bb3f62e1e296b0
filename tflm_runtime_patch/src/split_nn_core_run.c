#include "../split_nn/core/run.c"
