/* The TFLM_SPLIT custom operator for a TFLM source tree.
 *
 * Build tflm_split.cc, tflm_split_call.c and ../src/split_nn_(all).c with the flags of the rest of TFLM
 * (TF_LITE_STATIC_MEMORY defined), then add one line where the op resolver is filled:
 *
 *     resolver.AddCustom("TFLM_SPLIT", tflm_split::Register_TFLM_SPLIT());
 *
 * The line is the same for every generation of TFLM:
 *   - Arduino library of 2023 and older trees:       TfLiteRegistration*, <tensorflow/lite/c/common.h>
 *   - trees from mid 2023 to September 2026:         TFLMRegistration*, context functions are pointers
 *   - trees from October 2026 (namespace tflite::micro): the same names through aliases or that namespace, in C++17
 *
 * A MicroMutableOpResolver<N> needs one entry for it, whatever the number of split regions. */
#ifndef TFLM_SPLIT_H_
#define TFLM_SPLIT_H_

#include <stddef.h>

#if __has_include("tensorflow/lite/micro/micro_common.h")
#include "tensorflow/lite/micro/micro_common.h"
#define TFLM_SPLIT_REGISTRATION TFLMRegistration
#else
#include "tensorflow/lite/c/common.h"
#define TFLM_SPLIT_REGISTRATION TfLiteRegistration
#endif

/* Where TFLM keeps its structs from October 2026 on; before, it may not exist. */
namespace tflite {
namespace micro {}  // namespace micro
}  // namespace tflite

namespace tflm_split {

using namespace tflite::micro; /* a name found both ways through an alias is one and the same type */

TFLM_SPLIT_REGISTRATION* Register_TFLM_SPLIT();

/* For models made with `--memory`: `bytes` bytes of slow memory, from a multiple of 16 on. The arena is the fast one. Call it before
 * AllocateTensors(), which fails with a message if the model needs a slow memory and has none, or one that is too small.
 *
 * Each interpreter keeps what was set when its tensors were allocated. Nothing in that memory lasts from one Invoke() to the next,
 * but inputs and outputs of the model may lie there: interpreters that run one after the other may share it. Others need no call. */
void SetSlowMemory(void* memory, size_t bytes);

}  // namespace tflm_split

#endif  // TFLM_SPLIT_H_
