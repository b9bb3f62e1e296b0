/* Runs a split model once, on a picture that lies in flash. */
#ifndef STATIC_PICTURE_H_
#define STATIC_PICTURE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char* error;    /* what did not work, or NULL */
    const int8_t* scores; /* the model's output, picture_scores values */
    int best;             /* the index of the highest one */
    bool as_expected;     /* whether each byte is what TFLM made of the original model on a PC */
    size_t arena_bytes;   /* what TFLM used of the arena */
} static_picture_result;

#ifdef __cplusplus
extern "C" {
#endif

static_picture_result static_picture_run(void);

#ifdef __cplusplus
}
#endif

#endif /* STATIC_PICTURE_H_ */
