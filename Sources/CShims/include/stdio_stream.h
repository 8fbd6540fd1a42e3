#ifndef CULVERT_STDIO_STREAM_H
#define CULVERT_STDIO_STREAM_H

/* What stdio offers and Swift cannot reach. */

#include <stdio.h>

/*
 * A stream that first repeats `length` bytes at `bytes` (copied) and then gives what `descriptor` still has; closing it
 * closes the descriptor. So a reader can look at the head of a capture that comes through a pipe, and then hand all of
 * it to libpcap. NULL when memory is out; the descriptor is then left open. (fopencookie(3) needs _GNU_SOURCE, which
 * Swift does not set.)
 */
FILE *_Nullable culvert_open_repeating(int descriptor, const void *_Nullable bytes, size_t length);

/* Takes the lock out of every later call on a stream that only one thread uses (__fsetlocking(3)). */
void culvert_forgo_locking(FILE *_Nonnull stream);

#endif
