// Stand-in for trees from mid 2023 to September 2026.
#pragma once
#include "tensorflow/lite/c/common.h"

typedef struct TFLMRegistration {
    void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
    void (*free)(TfLiteContext* context, void* buffer);
    TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
    TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
    void (*reset)(TfLiteContext* context, void* buffer);
    int32_t builtin_code;
    const char* custom_name;
} TFLMRegistration;
