/* Prints per kernel how many cases agreed, or the first that did not. */
#include "semihosting.h"
#include "variants.h"

typedef struct suite {
    const char* name;
    int (*run)(void);
    uint32_t cases;
} suite;

static const suite suites[] = {
    {"conv", case_conv, 1500},
    {"depthwise", case_depthwise, 1500},
    {"max_pool", case_max_pool, 600},
    {"average_pool", case_average_pool, 600},
    {"add", case_add, 1500},
    {"mul", case_mul, 800},
    {"lut", case_lut, 300},
    {"quantize_float", case_quantize_float, 500},
    {"pad", case_pad, 500},
    {"sum", case_sum, 800},
    {"dense", case_dense, 800},
    {"requantization", case_requantization, 3000},
    {"conv_int16", case_conv_int16, 1500},
    {"binary_int16", case_binary_int16, 1500},
};

int main(void) {
    for (uint32_t i = 0; i < sizeof(suites) / sizeof(suites[0]); ++i) {
        uint32_t agreed = 0;
        uint32_t seed = VARIANTS_SEED;
        int result = 1;
        while (agreed < suites[i].cases && result != 0) {
            random_seed(seed++);
            memory_reset();
            result = suites[i].run();
            agreed += result == 1;
        }
        semihosting_print(suites[i].name);
        semihosting_print_value(result == 0 ? " differs_at_seed" : " agreed", result == 0 ? seed - 1u : agreed);
    }
    return 1;
}
