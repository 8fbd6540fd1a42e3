#ifndef CULVERT_CFUZZ_H
#define CULVERT_CFUZZ_H

/* What the fuzzers ask of Linux and Swift cannot say: variadic, or behind _GNU_SOURCE. */

/* An empty file in memory, or -1. */
int culvert_fuzz_memory_file(void);

/* No huge pages: each input makes tables anew, and to zero 2 MiB for a few bytes of each would be all that happens. */
void culvert_fuzz_use_small_pages(void);

#endif
