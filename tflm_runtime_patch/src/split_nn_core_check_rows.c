#include "../split_nn/core/check_rows.c"
