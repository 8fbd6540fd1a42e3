/*
 * Counts allocations by standing in front of malloc: a symbol of the executable wins over the one of the C library.
 * The real work is done by glibc's own entry points, which it exports under a second name. The counter belongs to the
 * thread, so that tests which run beside the one that counts do not disturb it.
 */
#include "allocation_counter.h"

#include <errno.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CULVERT_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CULVERT_SANITIZED 1
#endif

#if defined(__GLIBC__) && !defined(CULVERT_SANITIZED)

static __thread uint64_t allocations;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    allocations += 1;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    allocations += 1;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    allocations += 1;
    return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
    allocations += 1;
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    allocations += 1;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    allocations += 1;
    void *made = __libc_memalign(alignment, size);
    if (made == NULL) return ENOMEM;
    *block = made;
    return 0;
}

uint64_t culvert_allocation_count(void) { return allocations; }
int culvert_allocation_counter_works(void) { return 1; }

#else

uint64_t culvert_allocation_count(void) { return 0; }
int culvert_allocation_counter_works(void) { return 0; }

#endif
