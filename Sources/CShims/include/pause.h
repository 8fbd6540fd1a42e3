#ifndef CULVERT_PAUSE_H
#define CULVERT_PAUSE_H

/* Swift has no word for the hint that a loop only waits. */
static inline void culvert_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
