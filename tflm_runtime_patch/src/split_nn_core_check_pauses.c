#include "../split_nn/core/check_pauses.c"
