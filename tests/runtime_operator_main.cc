// Calls the TFLM_SPLIT operator as an interpreter of some generation would. Arguments: the program's file,
// the input byte, the output byte expected. Its region has one int8 input and one int8 output of `bytes`
// elements, at the start and at the end of the workspace.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tflm_split.h"
#include "../../tflm_runtime_patch/split_nn/split_nn.h"

using namespace tflite::micro;

namespace {

enum { kInput, kProgram, kOutput, kWorkspace, kTensors };

alignas(16) unsigned char program[1 << 16];
alignas(16) unsigned char workspace[1 << 16];
TfLiteIntArray dims[kTensors];
TfLiteEvalTensor tensors[kTensors];
alignas(16) unsigned char persistent[64];
size_t persistent_bytes = 0;
char message[512];

void Log(const char* format, va_list arguments) {
    vsnprintf(message, sizeof message, format, arguments);
}

TfLiteContext MakeContext();

void Describe(int index, int bytes) {
    dims[index].size = 1;
    dims[index].data[0] = bytes;
    tensors[index].dims = &dims[index];
    tensors[index].type = kTfLiteInt8;
    tensors[index].data.data = nullptr;
}

int Check(bool holds, const char* what) {
    if (!holds) {
        printf("failed: %s (last message: %s)\n", what, message);
    }
    return holds ? 0 : 1;
}

}  // namespace

#ifdef POINTER_CONTEXT
namespace {
TfLiteEvalTensor* GetEvalTensor(const TfLiteContext*, int index) {
    return &tensors[index];
}
void* AllocatePersistentBuffer(TfLiteContext*, size_t bytes) {
    persistent_bytes += bytes;
    return bytes <= sizeof persistent ? persistent : nullptr;
}
#ifdef REPORT_ERROR
void ReportError(TfLiteContext*, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    Log(format, arguments);
    va_end(arguments);
}
#endif
TfLiteContext MakeContext() {
    TfLiteContext context = TfLiteContext();
    context.GetEvalTensor = GetEvalTensor;
    context.AllocatePersistentBuffer = AllocatePersistentBuffer;
#ifdef REPORT_ERROR
    context.ReportError = ReportError;
#endif
    return context;
}
}  // namespace
#else
namespace tflite {
namespace micro {
TfLiteEvalTensor* MicroContextGetEvalTensor(const TfLiteContext*, int index) {
    return &tensors[index];
}
void* MicroContextAllocatePersistentBuffer(TfLiteContext*, size_t bytes) {
    persistent_bytes += bytes;
    return bytes <= sizeof persistent ? persistent : nullptr;
}
}  // namespace micro
}  // namespace tflite
namespace {
TfLiteContext MakeContext() {
    return TfLiteContext{nullptr};
}
}  // namespace
#endif

#ifndef REPORT_ERROR
void MicroPrintf(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    Log(format, arguments);
    va_end(arguments);
}
#endif

int main(int, char** arguments) {
    FILE* file = fopen(arguments[1], "rb");
    const size_t program_bytes = file == nullptr ? 0 : fread(program, 1, sizeof program, file);
    const split_io* input = split_nn_io(program, 0);
    const split_io* output = split_nn_io(program, 1);
    Describe(kInput, static_cast<int>(input->bytes));
    Describe(kProgram, static_cast<int>(program_bytes));
    Describe(kOutput, static_cast<int>(output->bytes));
    Describe(kWorkspace, static_cast<int>(split_nn_workspace_bytes(program)));
    tensors[kProgram].data.data = program;

    TfLiteIntArray inputs = {2, {kInput, kProgram}};
    TfLiteIntArray outputs = {2, {kOutput, kWorkspace}};
    TfLiteNode node = TfLiteNode();
    node.inputs = &inputs;
    node.outputs = &outputs;
    TfLiteContext context = MakeContext();
    auto* operation = tflm_split::Register_TFLM_SPLIT();

    int failures = Check(strcmp(operation->custom_name, "TFLM_SPLIT") == 0, "its name");
    failures += Check(operation->prepare(&context, &node) == kTfLiteOk, "prepare");
    failures += Check((persistent_bytes > 0) == (split_nn_calls(program) > 1), "state for streamed programs only");
    tensors[kInput].data.data = workspace + input->address;
    tensors[kOutput].data.data = workspace + output->address;
    tensors[kWorkspace].data.data = workspace;
    memset(workspace + input->address, atoi(arguments[2]), input->bytes);
    failures += Check(operation->invoke(&context, &node) == kTfLiteOk, "invoke");
    failures += Check(workspace[output->address] == atoi(arguments[3]), "its output");

    tensors[kOutput].data.data = workspace + output->address + 1;
    failures += Check(operation->invoke(&context, &node) == kTfLiteError, "invoke where the plan was not honoured");
    failures += Check(strstr(message, "TFLM_SPLIT: an input or output does not lie") == message, "its message");
    dims[kWorkspace].data[0] -= 1;
    failures += Check(operation->prepare(&context, &node) == kTfLiteError, "prepare with a short workspace");
    dims[kWorkspace].data[0] += 1;
    tensors[kOutput].type = kTfLiteInt16;
    failures += Check(operation->prepare(&context, &node) == kTfLiteError, "prepare with an int16 output");
    tensors[kOutput].type = kTfLiteInt8;
    inputs.size = 1;
    failures += Check(operation->prepare(&context, &node) == kTfLiteError, "prepare without a program");
    outputs.size = 0;
    failures += Check(operation->prepare(&context, &node) == kTfLiteError, "prepare without outputs");
    return failures;
}
