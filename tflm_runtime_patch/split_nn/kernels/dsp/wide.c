/* The products of widened windows with filters. All of it is in assembler: the loop needs all fourteen registers, and with
 * small windows the way from sums to bytes is half of the instructions. Stack: below 70 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "wide.h"

/* The assembler counts these bytes. */
typedef char split_wide_layout
    [offsetof(split_wide_filters, stride) == 16 && offsetof(split_wide_filters, sums_out) == 24 &&
             offsetof(split_wide_filters, channel) == 28 && offsetof(split_wide_filters, nudge) == 20 &&
             offsetof(split_wide_filters, entry) == 32 && offsetof(split_wide_filters, sums_in) == 40 &&
             offsetof(split_wide_filters, wide_end) == 48 && offsetof(split_wide_filters, weights) == 52
         ? 1
         : -1];

/* Registers: r7 holds the weights of a quad, r8 half of them, widened; r6 is where the next ones are. With five lanes r0-r4
 * hold widened elements, r5 is their address, and r9-r12 and lr are the sums. Otherwise r0-r5 hold elements, r10 is their
 * address, and r9, r11 and r12 are the sums. The stack holds the structure's address and where the elements end. */
#define PRODUCTS_5               \
    "ldmia r5!, {r0-r4}\n\t"     \
    "sxtb16 r8, r7\n\t"          \
    "smlad r9, r0, r8, r9\n\t"   \
    "smlad r10, r1, r8, r10\n\t" \
    "smlad r11, r2, r8, r11\n\t" \
    "smlad r12, r3, r8, r12\n\t" \
    "smlad lr, r4, r8, lr\n\t"   \
    "ldmia r5!, {r0-r4}\n\t"     \
    "sxtb16 r7, r7, ror #8\n\t"  \
    "smlad r9, r0, r7, r9\n\t"   \
    "smlad r10, r1, r7, r10\n\t" \
    "smlad r11, r2, r7, r11\n\t" \
    "smlad r12, r3, r7, r12\n\t" \
    "smlad lr, r4, r7, lr\n\t"
#define PRODUCTS_3               \
    "ldmia r10!, {r0-r5}\n\t"    \
    "sxtb16 r8, r7\n\t"          \
    "sxtb16 r7, r7, ror #8\n\t"  \
    "smlad r9, r0, r8, r9\n\t"   \
    "smlad r11, r1, r8, r11\n\t" \
    "smlad r12, r2, r8, r12\n\t" \
    "smlad r9, r3, r7, r9\n\t"   \
    "smlad r11, r4, r7, r11\n\t" \
    "smlad r12, r5, r7, r12\n\t"
#define PRODUCTS_2               \
    "ldmia r10!, {r0-r3}\n\t"    \
    "sxtb16 r8, r7\n\t"          \
    "sxtb16 r7, r7, ror #8\n\t"  \
    "smlad r9, r0, r8, r9\n\t"   \
    "smlad r11, r1, r8, r11\n\t" \
    "smlad r9, r2, r7, r9\n\t"   \
    "smlad r11, r3, r7, r11\n\t"

/* One sum to one byte, as split_dsp_to_int8_fast() does it. */
#define STORE(sum, where)         \
    "qadd " sum ", " sum ", " sum \
    "\n\t"                        \
    "smmlar r0, " sum             \
    ", r1, r5\n\t"                \
    "add r0, r0, " sum            \
    ", asr #31\n\t"               \
    "asr r0, r0, r2\n\t"          \
    "ssat r0, #8, r0\n\t"         \
    "strb r0, " where "\n\t"

/* Writes the function's body. `wide` is the address of the elements, `sums` are the sums, and `copies` copies the bias from
 * the first of them, r9, to the others. The turn of the loop starts at one of four places. */
#define FILTERS(wide, sums, copies, products, stores)                                                             \
    register split_wide_filters* first __asm__("r0") = filters;                                                   \
    __asm__ volatile(                                                                                             \
        "push {r7}\n\t" /* where there is a frame pointer, it may not be named below */                           \
        "sub sp, sp, #8\n\t"                                                                                      \
        "str r0, [sp]\n\t"                                                                                        \
        "ldrd r1, r6, [r0, #48]\n\t"                                                                              \
        "str r1, [sp, #4]\n\t"                                                                                    \
        "add r7, r0, #28\n\t"                                                                                     \
        "1:\n\t"                                                                                                  \
        "ldmia r7, {r0, r2-r4, " wide                                                                             \
        "}\n\t" /* channel, entry, bias, sums_in, wide */                                                         \
        "cbz r4, 2f\n\t"                                                                                          \
        "ldmia r4!, {" sums                                                                                       \
        "}\n\t"                                                                                                   \
        "str r4, [r7, #12]\n\t"                                                                                   \
        "b 3f\n\t"                                                                                                \
        "2:\n\t"                                                                                                  \
        "ldr r9, [r3, r0, lsl #2]\n\t" copies                                                                     \
        "3:\n\t"                                                                                                  \
        "tbb [pc, r2]\n\t"                                                                                        \
        "5:\n\t"                                                                                                  \
        ".byte (6f - 5b) / 2, (7f - 5b) / 2, (8f - 5b) / 2, (9f - 5b) / 2\n\t"                                    \
        "6:\n\t"                                                                                                  \
        "ldr r7, [r6], #4\n\t" products                                                                           \
        "7:\n\t"                                                                                                  \
        "ldr r7, [r6], #4\n\t" products                                                                           \
        "8:\n\t"                                                                                                  \
        "ldr r7, [r6], #4\n\t" products                                                                           \
        "9:\n\t"                                                                                                  \
        "ldr r7, [r6], #4\n\t" products                                                                           \
        "ldr r8, [sp, #4]\n\t"                                                                                    \
        "cmp " wide                                                                                               \
        ", r8\n\t"                                                                                                \
        "bne 6b\n\t"                                                                                              \
        "ldr r8, [sp]\n\t"                                                                                        \
        "ldmia r8, {r0-r5, r7, r8}\n\t" /* skip, multipliers, shifts, output, stride, nudge, sums_out, channel */ \
        "add r6, r6, r0\n\t"                                                                                      \
        "cbz r7, 2f\n\t"                                                                                          \
        "stmia r7!, {" sums                                                                                       \
        "}\n\t"                                                                                                   \
        "ldr r0, [sp]\n\t"                                                                                        \
        "str r7, [r0, #24]\n\t"                                                                                   \
        "b 3f\n\t"                                                                                                \
        "2:\n\t"                                                                                                  \
        "ldr r1, [r1, r8, lsl #2]\n\t"                                                                            \
        "ldrsb r2, [r2, r8]\n\t"                                                                                  \
        "add r3, r3, r8\n\t"                                                                                      \
        "mvn r0, r2\n\t"                                                                                          \
        "rsb r2, r2, #0\n\t"                                                                                      \
        "lsl r5, r5, r0\n\t" stores                                                                               \
        "3:\n\t"                                                                                                  \
        "adds r8, r8, #1\n\t"                                                                                     \
        "ldr r7, [sp]\n\t"                                                                                        \
        "str r8, [r7, #28]!\n\t"                                                                                  \
        "bne 1b\n\t"                                                                                              \
        "add sp, sp, #8\n\t"                                                                                      \
        "pop {r7}"                                                                                                \
        : "+r"(first)                                                                                             \
        :                                                                                                         \
        : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")

SPLIT_NOINLINE void split_wide_5(split_wide_filters* filters) {
    FILTERS("r5", "r9-r12, lr", "mov r10, r9\n\tmov r11, r9\n\tmov r12, r9\n\tmov lr, r9\n\t", PRODUCTS_5,
            STORE("r9", "[r3]") STORE("r10", "[r3, r4]") STORE("r11", "[r3, r4, lsl #1]")
                STORE("lr", "[r3, r4, lsl #2]") "add r3, r3, r4\n\t" STORE("r12", "[r3, r4, lsl #1]"));
}

SPLIT_NOINLINE void split_wide_3(split_wide_filters* filters) {
    FILTERS("r10", "r9, r11, r12", "mov r11, r9\n\tmov r12, r9\n\t", PRODUCTS_3,
            STORE("r9", "[r3]") STORE("r11", "[r3, r4]") STORE("r12", "[r3, r4, lsl #1]"));
}

SPLIT_NOINLINE void split_wide_2(split_wide_filters* filters) {
    FILTERS("r10", "r9, r11", "mov r11, r9\n\t", PRODUCTS_2, STORE("r9", "[r3]") STORE("r11", "[r3, r4]"));
}

/* One of four filters: r3 holds its weights, r12 half of them, widened. */
#define FILTER(weights, sum)       \
    "ldr r3, [" weights            \
    "], #4\n\t"                    \
    "sxtb16 r12, r3\n\t"           \
    "sxtb16 r3, r3, ror #8\n\t"    \
    "smlad " sum ", r0, r12, " sum \
    "\n\t"                         \
    "smlad " sum ", r1, r3, " sum "\n\t"
#define FOUR_PRODUCTS \
    "ldrd r0, r1, [r2], #8\n\t" FILTER("r4", "r8") FILTER("r5", "r9") FILTER("r6", "r10") FILTER("r7", "r11")

SPLIT_NOINLINE void split_wide_add_four(split_wide_four* filters) {
    register split_wide_four* first __asm__("r0") = filters;
    __asm__ volatile(
        "push {r0, r7}\n\t"
        "ldrd lr, r12, [r0, #36]\n\t"
        "ldmia r0, {r2, r4-r11}\n\t"
        "tbb [pc, r12]\n\t"
        "5:\n\t"
        ".byte (6f - 5b) / 2, (7f - 5b) / 2, (8f - 5b) / 2, (9f - 5b) / 2\n\t"
        "6:\n\t" FOUR_PRODUCTS "7:\n\t" FOUR_PRODUCTS "8:\n\t" FOUR_PRODUCTS "9:\n\t" FOUR_PRODUCTS
        "cmp r2, lr\n\t"
        "bne 6b\n\t"
        "pop {r0, r7}\n\t"
        "add r0, r0, #20\n\t"
        "stmia r0, {r8-r11}"
        : "+r"(first)
        :
        : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

#endif /* SPLIT_NN_DSP */
