// Stand-in for the Arduino library of 2023: what the shim needs, declared in our own words. No
// micro_common.h, no TFLMRegistration; the context's functions are pointers and some are null outside their
// phase.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef enum TfLiteType {
    kTfLiteFloat32 = 1,
    kTfLiteInt32 = 2,
    kTfLiteUInt8 = 3,
    kTfLiteInt16 = 7,
    kTfLiteInt8 = 9
} TfLiteType;
typedef struct TfLiteIntArray {
    int size;
    int data[8];
} TfLiteIntArray;
typedef union TfLitePtrUnion {
    int8_t* int8;
    void* data;
} TfLitePtrUnion;
typedef struct TfLiteEvalTensor {
    TfLitePtrUnion data;
    TfLiteIntArray* dims;
    TfLiteType type;
} TfLiteEvalTensor;
typedef struct TfLiteNode {
    TfLiteIntArray* inputs;
    TfLiteIntArray* outputs;
    TfLiteIntArray* intermediates;
    void* user_data;
    void* builtin_data;
    const void* custom_initial_data;
    int custom_initial_data_size;
} TfLiteNode;
typedef struct TfLiteContext {
    void* impl_;
    void (*ReportError)(struct TfLiteContext* context, const char* format, ...);
    TfLiteEvalTensor* (*GetEvalTensor)(const struct TfLiteContext* context, int index);
    void* (*AllocatePersistentBuffer)(struct TfLiteContext* context, size_t bytes);
} TfLiteContext;
typedef struct TfLiteRegistration {
    void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
    void (*free)(TfLiteContext* context, void* buffer);
    TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
    TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
    const char* (*profiling_string)(const TfLiteContext* context, const TfLiteNode* node);
    int32_t builtin_code;
    const char* custom_name;
    int version;
    void* registration_external;
} TfLiteRegistration;
