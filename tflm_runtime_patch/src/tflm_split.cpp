#include "../tflm/tflm_split.cc"
