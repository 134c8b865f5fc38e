/* How this thread's floating-point unit rounds and treats denormals. The setting belongs to a thread, so a thread that
 * computes for another takes over the other's: results then do not depend on who computes. */
#ifndef PML_RUNTIME_BASE_FLOAT_MODE_H
#define PML_RUNTIME_BASE_FLOAT_MODE_H

#include <fenv.h>
#include <stdint.h>

/* The control bits, without the flags of past exceptions. */
static inline uint64_t pml_float_mode_get(void) {
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~0x3fu;
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
#else
    return (uint64_t)fegetround();
#endif
}

static inline void pml_float_mode_set(uint64_t mode) {
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
    (void)fesetround((int)mode);
#endif
}

#endif
