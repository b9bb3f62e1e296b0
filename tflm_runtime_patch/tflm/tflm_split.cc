// TFLM_SPLIT on top of a TFLM tree: looks up the node's tensors and leaves every decision to
// tflm_split_call.c. C++11.

#include "tflm_split.h"

#include "tflm_split_call.h"

#if __has_include("tensorflow/lite/micro/micro_log.h")
#include "tensorflow/lite/micro/micro_log.h"
#define TFLM_SPLIT_REPORT(context, text) MicroPrintf("TFLM_SPLIT: %s", text)
#else
#define TFLM_SPLIT_REPORT(context, text) (context)->ReportError((context), "TFLM_SPLIT: %s", text)
#endif

namespace tflm_split {
namespace {

struct Node {
    TfLiteContext* context;
    const TfLiteNode* node;
};

// 0 for a type no region has at its border: prepare then finds that the sizes differ.
size_t ElementBytes(TfLiteType type) {
    switch (type) {
        case kTfLiteInt8:
        case kTfLiteUInt8:
            return 1;
        case kTfLiteInt16:
            return 2;
        case kTfLiteFloat32:
        case kTfLiteInt32:
            return 4;
        default:
            return 0;
    }
}

tflm_split_tensor Tensor(const void* opaque, int is_output, int index) {
    const Node* at = static_cast<const Node*>(opaque);
    const TfLiteIntArray* indices = is_output ? at->node->outputs : at->node->inputs;
    tflm_split_tensor tensor = {nullptr, 0};
    if (indices->data[index] < 0) {  // an optional tensor that is absent
        return tensor;
    }
    const TfLiteEvalTensor* eval = at->context->GetEvalTensor(at->context, indices->data[index]);
    if (eval == nullptr) {
        return tensor;
    }
    tensor.data = eval->data.data;
    tensor.bytes = ElementBytes(eval->type);
    for (int i = 0; i < eval->dims->size; ++i) {
        tensor.bytes *= static_cast<size_t>(eval->dims->data[i]);
    }
    return tensor;
}

// The setter's memory, for the models that are prepared next.
void* slow_memory = nullptr;
size_t slow_memory_bytes = 0;

void Put(const void* opaque, int is_output, int index, void* data) {
    const Node* at = static_cast<const Node*>(opaque);
    const TfLiteIntArray* indices = is_output ? at->node->outputs : at->node->inputs;
    TfLiteEvalTensor* eval =
        indices->data[index] < 0 ? nullptr : at->context->GetEvalTensor(at->context, indices->data[index]);
    if (eval != nullptr) {
        eval->data.data = data;
    }
}

TfLiteStatus Answer(TfLiteContext* context, const char* fault) {
    if (fault == nullptr) {
        return kTfLiteOk;
    }
    static_cast<void>(context);  // not every generation reports through it
    TFLM_SPLIT_REPORT(context, fault);
    return kTfLiteError;
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
    const Node at = {context, node};
    const tflm_split_call call = {node->inputs->size, node->outputs->size, Tensor, &at, nullptr, Put,
                                  slow_memory,        slow_memory_bytes};
    const char* fault = tflm_split_call_prepare(&call);
    const size_t state_bytes = fault == nullptr ? tflm_split_call_state_bytes(&call) : 0;
    if (state_bytes > 0) {  // only models that are streamed, remember or have two memories keep anything between calls
        node->user_data = context->AllocatePersistentBuffer(context, state_bytes);
        if (node->user_data == nullptr) {
            fault = "the arena has no room for the operator's state";
        } else {
            fault = tflm_split_call_start(&call, node->user_data);
        }
    }
    return Answer(context, fault);
}

TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
    const Node at = {context, node};
    const tflm_split_call call = {
        node->inputs->size, node->outputs->size, Tensor, &at, node->user_data, nullptr, nullptr, 0};
    return Answer(context, tflm_split_call_invoke(&call));
}

// MicroInterpreter::Reset(): a streamed model starts over with the first rows, and a state is forgotten. Trees of 2023 and older have no `reset`;
// there, a new interpreter starts over.
template <typename Registration>
auto SetReset(Registration* registration, int) -> decltype(registration->reset, void()) {
    registration->reset = [](TfLiteContext*, void* state) {
        if (state != nullptr) {
            tflm_split_call_reset(state);
        }
    };
}

template <typename Registration>
void SetReset(Registration*, long) {}

}  // namespace

void SetSlowMemory(void* memory, size_t bytes) {
    slow_memory = memory;
    slow_memory_bytes = bytes;
}

TFLM_SPLIT_REGISTRATION* Register_TFLM_SPLIT() {
    // Filled by name: the order and number of the other fields differ between generations, and are zero.
    static TFLM_SPLIT_REGISTRATION registration;
    registration.prepare = Prepare;
    registration.invoke = Invoke;
    SetReset(&registration, 0);
    registration.custom_name = "TFLM_SPLIT";
    return &registration;
}

}  // namespace tflm_split
