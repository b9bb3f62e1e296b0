#include "../split_nn/split_nn_check_rows.c"
