/* What an Arduino sketch includes, after the header of its TFLM library. Arduino compiles the files of this folder and
 * no others: each hands one of the library's sources to the compiler. */
#ifndef TFLM_SPLIT_LIBRARY_H_
#define TFLM_SPLIT_LIBRARY_H_

#include "../split_nn/split_nn.h"
#include "../tflm/tflm_split.h"

#endif /* TFLM_SPLIT_LIBRARY_H_ */
