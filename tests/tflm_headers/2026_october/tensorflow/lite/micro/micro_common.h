// Stand-in for trees from October 2026: everything in namespace tflite::micro, the context is one pointer,
// and its functions are callable constants. TFLM_NO_GLOBAL_C_ALIASES takes the global names away. Needs
// C++17.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace tflite {
namespace micro {

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType { kTfLiteFloat32 = 1, kTfLiteInt32 = 2, kTfLiteUInt8 = 3, kTfLiteInt16 = 7, kTfLiteInt8 = 9 };
struct TfLiteIntArray {
    int size;
    int data[8];
};
union TfLitePtrUnion {
    int8_t* int8;
    void* data;
};
struct TfLiteEvalTensor {
    TfLitePtrUnion data;
    TfLiteIntArray* dims;
    TfLiteType type;
};
struct TfLiteNode {
    TfLiteIntArray* inputs;
    TfLiteIntArray* outputs;
    TfLiteIntArray* intermediates;
    void* user_data;
    void* builtin_data;
    const void* custom_initial_data;
    int custom_initial_data_size;
};

template <auto Function>
struct Method {
    template <typename... Arguments>
    constexpr auto operator()(Arguments... arguments) const {
        return Function(arguments...);
    }
};

struct TfLiteContext;
TfLiteEvalTensor* MicroContextGetEvalTensor(const TfLiteContext* context, int index);
void* MicroContextAllocatePersistentBuffer(TfLiteContext* context, size_t bytes);

struct TfLiteContext {
    void* impl_;
    static constexpr Method<&MicroContextGetEvalTensor> GetEvalTensor{};
    static constexpr Method<&MicroContextAllocatePersistentBuffer> AllocatePersistentBuffer{};
};

struct TFLMRegistration {
    void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
    void (*free)(TfLiteContext* context, void* buffer);
    TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
    TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
    void (*reset)(TfLiteContext* context, void* buffer);
    int32_t builtin_code;
    const char* custom_name;
};

}  // namespace micro
}  // namespace tflite

#ifndef TFLM_NO_GLOBAL_C_ALIASES
using tflite::micro::kTfLiteError;
using tflite::micro::kTfLiteFloat32;
using tflite::micro::kTfLiteInt16;
using tflite::micro::kTfLiteInt32;
using tflite::micro::kTfLiteInt8;
using tflite::micro::kTfLiteOk;
using tflite::micro::kTfLiteUInt8;
using tflite::micro::TfLiteContext;
using tflite::micro::TfLiteEvalTensor;
using tflite::micro::TfLiteIntArray;
using tflite::micro::TfLiteNode;
using tflite::micro::TfLiteStatus;
using tflite::micro::TfLiteType;
using tflite::micro::TFLMRegistration;
#endif
