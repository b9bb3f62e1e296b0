#include "../split_nn/core/kind.c"
