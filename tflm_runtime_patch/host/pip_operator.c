/* TFLM_SPLIT in the unmodified `tflite-micro` wheel.
 *
 * Load this library with ctypes.CDLL(path, mode=RTLD_GLOBAL), then name it:
 *     runtime.Interpreter.from_bytes(model, custom_op_registerers=["TFLM_SPLIT"])
 * The interpreter finds the function below by that name and hands it its op resolver. The library also
 * exports split_nn_prepare(), split_nn_run() and their companions for use on a plain buffer. */
#define _GNU_SOURCE /* dladdr, RTLD_NOLOAD */
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include "../tflm/tflm_split_call.h"
#include "pip_tflm_abi.h"

/* All are properties of the one interpreter library in the process, looked up anew at each registration. */
static pip_get_eval_tensor get_eval_tensor;
static pip_allocate allocate;
static pip_print print;
static const char* registration_error = "TFLM_SPLIT has not been registered yet";

typedef struct node_view {
    const pip_context* context;
    const pip_node* node;
} node_view;

static size_t element_bytes(int32_t type) {
    switch (type) {
        case PIP_INT8:
        case PIP_UINT8:
            return 1;
        case PIP_INT16:
            return 2;
        case PIP_FLOAT32:
        case PIP_INT32:
            return 4;
        default:
            return 0;
    }
}

static tflm_split_tensor tensor(const void* opaque, int is_output, int index) {
    const node_view* at = (const node_view*)opaque;
    const pip_int_array* indices = is_output ? at->node->outputs : at->node->inputs;
    tflm_split_tensor found = {NULL, 0};
    if (indices->data[index] < 0) {
        return found;
    }
    const pip_eval_tensor* eval = get_eval_tensor(at->context, indices->data[index]);
    if (eval == NULL) {
        return found;
    }
    found.data = eval->data;
    found.bytes = element_bytes(eval->type);
    for (int32_t i = 0; i < eval->dims->size; ++i) {
        found.bytes *= (size_t)eval->dims->data[i];
    }
    return found;
}

static void* slow_memory;
static size_t slow_memory_bytes;

/* What tflm_split::SetSlowMemory() is for a TFLM tree. */
void tflm_split_host_set_slow_memory(void* memory, size_t bytes);
void tflm_split_host_set_slow_memory(void* memory, size_t bytes) {
    slow_memory = memory;
    slow_memory_bytes = bytes;
}

static void put(const void* opaque, int is_output, int index, void* data) {
    const node_view* at = (const node_view*)opaque;
    const pip_int_array* indices = is_output ? at->node->outputs : at->node->inputs;
    pip_eval_tensor* eval = indices->data[index] < 0 ? NULL : get_eval_tensor(at->context, indices->data[index]);
    if (eval != NULL) {
        eval->data = data;
    }
}

static int32_t answer(const char* fault) {
    if (fault == NULL) {
        return PIP_OK;
    }
    if (print != NULL) {
        print("TFLM_SPLIT: %s", fault);
    }
    return PIP_ERROR;
}

static int32_t prepare(pip_context* context, pip_node* node) {
    const node_view at = {context, node};
    const tflm_split_call call = {node->inputs->size, node->outputs->size, tensor, &at, NULL, put,
                                  slow_memory,        slow_memory_bytes};
    const char* fault = tflm_split_call_prepare(&call);
    const size_t state_bytes = fault == NULL ? tflm_split_call_state_bytes(&call) : 0;
    if (state_bytes > 0) {
        node->user_data = allocate(context, state_bytes);
        if (node->user_data == NULL) {
            fault = "the arena has no room for the operator's state";
        } else {
            fault = tflm_split_call_start(&call, node->user_data);
        }
    }
    return answer(fault);
}

static int32_t invoke(pip_context* context, pip_node* node) {
    const node_view at = {context, node};
    const tflm_split_call call = {node->inputs->size, node->outputs->size, tensor, &at, node->user_data, NULL, NULL, 0};
    return answer(tflm_split_call_invoke(&call));
}

static void reset(pip_context* context, void* state) {
    (void)context;
    if (state != NULL) {
        tflm_split_call_reset(state);
    }
}

/* NULL if what lies at `resolver` is a resolver as pip_tflm_abi.h describes it, with room for one more
 * operator. */
static const char* resolver_fault(void* runtime, const pip_resolver* resolver) {
    const char* vtable = (const char*)dlsym(runtime, PIP_RESOLVER_VTABLE);
    if (dlsym(runtime, PIP_RESOLVER_TYPE) == NULL || vtable == NULL ||
        resolver->vtable != (const void*)(vtable + 2 * sizeof(void*))) {
        return "this tflite-micro wheel is not known: its op resolver is of another type";
    }
    if (resolver->count == 0 || resolver->count > PIP_RESOLVER_CAPACITY) {
        return "this tflite-micro wheel is not known: its op resolver has another layout";
    }
    for (uint32_t i = 0; i < resolver->count; ++i) {
        const pip_registration* entry = &resolver->registrations[i];
        if (entry->invoke == NULL || entry->builtin_code < 0 || entry->builtin_code > PIP_BUILTIN_LAST) {
            return "this tflite-micro wheel is not known: its op registrations have another layout";
        }
    }
    if (resolver->count == PIP_RESOLVER_CAPACITY) {
        return "the op resolver of tflite-micro is full";
    }
    return NULL;
}

/* A handle of the loaded library whose code the resolver's virtual functions are part of, or NULL. */
static void* runtime_of(const pip_resolver* resolver) {
    Dl_info info;
    if (resolver == NULL || dladdr(resolver->vtable, &info) == 0 || info.dli_fname == NULL) {
        return NULL;
    }
    return dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_LAZY);
}

static const char* append(pip_resolver* resolver) {
    void* runtime = runtime_of(resolver);
    if (runtime == NULL) {
        return "the tflite-micro interpreter's library cannot be found in this process";
    }
    const char* fault = resolver_fault(runtime, resolver);
    void* get = dlsym(runtime, PIP_GET_EVAL_TENSOR);
    void* room = dlsym(runtime, PIP_ALLOCATE);
    void* report = dlsym(runtime, PIP_PRINT);
    dlclose(runtime); /* it stays loaded: the interpreter that called holds it */
    if (fault != NULL) {
        return fault;
    }
    if (get == NULL || room == NULL) {
        return "this tflite-micro wheel is not known: it does not export what the operator calls";
    }
    /* ISO C has no cast from void* to a function pointer; POSIX promises that the bits agree. */
    memcpy(&get_eval_tensor, &get, sizeof get);
    memcpy(&allocate, &room, sizeof room);
    memcpy(&print, &report, sizeof report);
    static const pip_registration registration = {NULL, NULL, prepare, invoke, reset, PIP_BUILTIN_CUSTOM, "TFLM_SPLIT"};
    resolver->registrations[resolver->count] = registration;
    ++resolver->count;
    return NULL;
}

/* Adds the operator to the interpreter's resolver; false, with a sentence in tflm_split_host_error(), if it
 * cannot. */
bool TFLM_SPLIT(void* resolver);
bool TFLM_SPLIT(void* resolver) {
    registration_error = append((pip_resolver*)resolver);
    return registration_error == NULL;
}

/* Why the last registration failed; an empty string if it did not. */
const char* tflm_split_host_error(void);
const char* tflm_split_host_error(void) {
    return registration_error == NULL ? "" : registration_error;
}
