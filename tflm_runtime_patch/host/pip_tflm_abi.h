/* What the operator needs to know of the interpreter in the `tflite-micro` wheel (64-bit, wheels of October
 * 2026 and later): the binary layout of a few structs and the names of exported functions,
 * declared here in our own words because the wheel ships no header. Found by inspecting its shared library;
 * host/pip_operator.c checks what it can before it writes anything. */
#ifndef PIP_TFLM_ABI_H_
#define PIP_TFLM_ABI_H_

#include <stddef.h>
#include <stdint.h>

typedef struct pip_int_array {
    int32_t size;
    int32_t data[];
} pip_int_array;

typedef struct pip_eval_tensor {
    void* data;
    pip_int_array* dims;
    int32_t type;
} pip_eval_tensor;

/* TfLiteType values of the tensors a region may have at its border. */
enum { PIP_FLOAT32 = 1, PIP_INT32 = 2, PIP_UINT8 = 3, PIP_INT16 = 7, PIP_INT8 = 9 };

typedef struct pip_node {
    pip_int_array* inputs;
    pip_int_array* outputs;
    pip_int_array* intermediates;
    void* user_data;
    void* builtin_data;
    const void* custom_initial_data;
    int32_t custom_initial_data_size;
} pip_node;

typedef struct pip_context pip_context; /* opaque */

enum { PIP_OK = 0, PIP_ERROR = 1 };
enum { PIP_BUILTIN_CUSTOM = 32, PIP_BUILTIN_LAST = 512 };

typedef struct pip_registration {
    void* (*init)(pip_context*, const char*, size_t);
    void (*release)(pip_context*, void*);
    int32_t (*prepare)(pip_context*, pip_node*);
    int32_t (*invoke)(pip_context*, pip_node*);
    void (*reset)(pip_context*, void*);
    int32_t builtin_code;
    const char* custom_name;
} pip_registration;

typedef char pip_registration_is_56_bytes[sizeof(pip_registration) == 56 ? 1 : -1];

/* PythonOpsResolver, a MicroMutableOpResolver<200>; PIP_RESOLVER_TYPE is the symbol of its type information.
 */
#define PIP_RESOLVER_CAPACITY 200
#define PIP_RESOLVER_TYPE "_ZTIN6tflite5micro22MicroMutableOpResolverILj200EEE"
#define PIP_RESOLVER_VTABLE "_ZTVN6tflite17PythonOpsResolverE"

typedef struct pip_resolver {
    const void* vtable; /* PIP_RESOLVER_VTABLE + 16: behind the offset and the type information */
    pip_registration registrations[PIP_RESOLVER_CAPACITY];
    uint32_t count;
} pip_resolver;

/* TfLiteEvalTensor* MicroContextGetEvalTensor(const TfLiteContext*, int), void*
 * MicroContextAllocatePersistentBuffer(TfLiteContext*, size_t) and void MicroPrintf(const char*, ...). */
#define PIP_GET_EVAL_TENSOR "_ZN6tflite5micro25MicroContextGetEvalTensorEPKNS0_13TfLiteContextEi"
#define PIP_ALLOCATE "_ZN6tflite5micro36MicroContextAllocatePersistentBufferEPNS0_13TfLiteContextEm"
#define PIP_PRINT "_Z11MicroPrintfPKcz"

typedef pip_eval_tensor* (*pip_get_eval_tensor)(const pip_context*, int);
typedef void* (*pip_allocate)(pip_context*, size_t);
typedef void (*pip_print)(const char*, ...);

#endif /* PIP_TFLM_ABI_H_ */
