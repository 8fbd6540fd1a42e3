#ifndef CINTRINSICS_H
#define CINTRINSICS_H

/* Swift 6.3 cannot ask for a prefetch itself; this compiles to a single instruction at the call site. */
typedef struct { char unused; } culvert_prefetch_hint;
static inline void culvert_prefetch(const void *_Nonnull address) { __builtin_prefetch(address, 1, 3); }

#endif
