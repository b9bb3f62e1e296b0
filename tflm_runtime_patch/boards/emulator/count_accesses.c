/* A plugin of QEMU that counts how often emulated code reads and writes ranges of memory, and how many bytes.
 *
 *     -plugin file=count_accesses.so,out=FILE,range=LOW:BYTES,range=LOW:BYTES
 *
 * At the end it writes a line for each range: reads, bytes read, writes, bytes written. What the host reads and writes for the
 * program (semihosting) is not counted: no instruction of the emulated processor does it.
 *
 * QEMU's own header is not needed: the few functions it takes are declared here, in our own words. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct qemu_tb qemu_tb;
typedef struct qemu_instruction qemu_instruction;
typedef void on_translation(uint64_t plugin, qemu_tb* block);
typedef void on_access(unsigned int processor, uint32_t access, uint64_t address, void* user);
typedef void at_end(uint64_t plugin, void* user);

enum { NO_REGISTERS = 0, READS_AND_WRITES = 3, MOST_RANGES = 4 };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t plugin, on_translation* call);
void qemu_plugin_register_vcpu_mem_cb(qemu_instruction* at, on_access* call, int registers, int kinds, void* user);
void qemu_plugin_register_atexit_cb(uint64_t plugin, at_end* call, void* user);
size_t qemu_plugin_tb_n_insns(const qemu_tb* block);
qemu_instruction* qemu_plugin_tb_get_insn(const qemu_tb* block, size_t index);
unsigned int qemu_plugin_mem_size_shift(uint32_t access);
bool qemu_plugin_mem_is_store(uint32_t access);

#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION 1
#endif
__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_VERSION;
__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t plugin, const void* info, int count,
                                                               char** arguments);

typedef struct range {
    uint64_t low;
    uint64_t bytes;
    uint64_t times[2]; /* reads, writes */
    uint64_t moved[2];
} range;

static range ranges[MOST_RANGES];
static int range_count;
static const char* out;

static void count_access(unsigned int processor, uint32_t access, uint64_t address, void* user) {
    const int store = qemu_plugin_mem_is_store(access);
    (void)processor;
    (void)user;
    for (int i = 0; i < range_count; ++i) {
        if (address - ranges[i].low < ranges[i].bytes) {
            ++ranges[i].times[store];
            ranges[i].moved[store] += UINT64_C(1) << qemu_plugin_mem_size_shift(access);
        }
    }
}

static void translate(uint64_t plugin, qemu_tb* block) {
    (void)plugin;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, i), count_access, NO_REGISTERS,
                                         READS_AND_WRITES, NULL);
    }
}

static void report(uint64_t plugin, void* user) {
    FILE* file = fopen(out, "w");
    (void)plugin;
    (void)user;
    for (int i = 0; file != NULL && i < range_count; ++i) {
        fprintf(file, "%llu %llu %llu %llu\n", (unsigned long long)ranges[i].times[0],
                (unsigned long long)ranges[i].moved[0], (unsigned long long)ranges[i].times[1],
                (unsigned long long)ranges[i].moved[1]);
    }
    if (file != NULL) {
        fclose(file);
    }
}

int qemu_plugin_install(uint64_t plugin, const void* info, int count, char** arguments) {
    (void)info;
    for (int i = 0; i < count; ++i) {
        if (strncmp(arguments[i], "out=", 4) == 0) {
            out = strdup(arguments[i] + 4);
        } else if (strncmp(arguments[i], "range=", 6) == 0 && range_count < MOST_RANGES) {
            char* end;
            ranges[range_count].low = strtoull(arguments[i] + 6, &end, 0);
            ranges[range_count].bytes = *end == ':' ? strtoull(end + 1, NULL, 0) : 0;
            ++range_count;
        } else {
            return -1;
        }
    }
    if (out == NULL) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, translate);
    qemu_plugin_register_atexit_cb(plugin, report, NULL);
    return 0;
}
