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

/* The package manager has this name for the main function of a program, which is libFuzzer's here. */
int culvert_fuzz_main(int count, char **arguments) {
    return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput);
}
