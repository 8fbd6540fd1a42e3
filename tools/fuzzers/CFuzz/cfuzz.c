#define _GNU_SOURCE
#include "cfuzz.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

int culvert_fuzz_memory_file(void) { return memfd_create("input", MFD_CLOEXEC); }

void culvert_fuzz_use_small_pages(void) { prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*test)(const uint8_t *data, size_t size));

/* The package manager has such a name for the main function of a program, which is libFuzzer's here. */
#define PROGRAM(name) \
    int name##_main(int count, char **arguments) { \
        return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput); \
    }

PROGRAM(culvert_fuzz_datapath)
PROGRAM(culvert_fuzz_capture)
PROGRAM(culvert_fuzz_control)
