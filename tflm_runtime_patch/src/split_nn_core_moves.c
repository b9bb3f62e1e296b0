#include "../split_nn/core/moves.c"
