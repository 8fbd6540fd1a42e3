#ifndef CULVERT_ALLOCATION_COUNTER_H
#define CULVERT_ALLOCATION_COUNTER_H

#include <stdint.h>

/* How often this thread has asked for heap memory since it began: malloc, calloc, realloc and their aligned kin. */
uint64_t culvert_allocation_count(void);

/* Whether the counter is there: not under the sanitizers, which bring allocators of their own. */
int culvert_allocation_counter_works(void);

#endif
