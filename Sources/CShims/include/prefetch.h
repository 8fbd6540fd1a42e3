#ifndef CULVERT_PREFETCH_H
#define CULVERT_PREFETCH_H

/* Swift has no word for a prefetch; this compiles to a single instruction at the call site. */
static inline void culvert_prefetch(const void *_Nonnull address) { __builtin_prefetch(address, 1, 3); }

#endif
