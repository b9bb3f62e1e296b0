#include "../split_nn/core/prepare.c"
