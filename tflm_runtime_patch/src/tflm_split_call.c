#include "../tflm/tflm_split_call.c"
