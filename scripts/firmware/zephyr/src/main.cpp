// A split model on a picture that lies in flash.
#include <stdio.h>

#include "picture.h"
#include "static_picture.h"

int main(void) {
    const static_picture_result result = static_picture_run();
    if (result.error != nullptr) {
        printf("%s\n", result.error);
        return 1;
    }
    printf("%s, %s\n", picture_labels[result.best],
           result.as_expected ? "each byte as expected" : "but other bytes than expected");
    printf("%u bytes of the arena\n", static_cast<unsigned>(result.arena_bytes));
    return result.as_expected ? 0 : 1;
}
