#include "../split_nn/split_nn_element_float.c"
