// Stand-in for the class that the examples of the firmware archives use: it compiles and links, and runs nothing.
#pragma once
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

typedef struct TfLiteTensor {
    TfLitePtrUnion data;
    size_t bytes;
} TfLiteTensor;

namespace tflite {
class MicroInterpreter {
 public:
    MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t*, size_t) : tensor_() {}
    TfLiteStatus AllocateTensors() { return kTfLiteError; }
    TfLiteStatus Invoke() { return kTfLiteError; }
    TfLiteTensor* input(size_t) { return &tensor_; }
    TfLiteTensor* output(size_t) { return &tensor_; }
    size_t arena_used_bytes() const { return 0; }

 private:
    TfLiteTensor tensor_;
};
}  // namespace tflite
