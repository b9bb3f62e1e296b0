#include "static_picture.h"

#include <string.h>

#include "model_data.h"
#include "picture.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tflm_split.h"

namespace {

alignas(16) uint8_t tensor_arena[TENSOR_ARENA_BYTES];

static_picture_result Failed(const char* error) {
    return {error, nullptr, 0, false, 0};
}

}  // namespace

static_picture_result static_picture_run(void) {
    static tflite::MicroMutableOpResolver<1> resolver;
    static const bool registered = resolver.AddCustom("TFLM_SPLIT", tflm_split::Register_TFLM_SPLIT()) == kTfLiteOk;
    static tflite::MicroInterpreter interpreter(tflite::GetModel(model_data), resolver, tensor_arena,
                                                sizeof tensor_arena);
    static const bool allocated = registered && interpreter.AllocateTensors() == kTfLiteOk;
    if (!allocated) {
        return Failed("AllocateTensors failed: TFLM's log says why");
    }
    // The input's bytes serve for rows of the network while it runs: they are written before every call.
    memcpy(interpreter.input(0)->data.data, picture, picture_bytes);
    if (interpreter.Invoke() != kTfLiteOk) {
        return Failed("Invoke failed: TFLM's log says why");
    }
    const int8_t* scores = interpreter.output(0)->data.int8;
    int best = 0;
    for (unsigned int k = 1; k < picture_scores; ++k) {
        best = scores[k] > scores[best] ? static_cast<int>(k) : best;
    }
    const bool equal = memcmp(scores, picture_expected, picture_scores) == 0;
    return {nullptr, scores, best, equal, interpreter.arena_used_bytes()};
}
