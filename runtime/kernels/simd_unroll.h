/* Complete unrolling of loops whose count is a constant after inlining: only then do arrays of vectors live in
 * registers. clang's plain `unroll` comes after the pass that takes arrays apart; its `unroll(full)` before. */
#ifndef PML_RUNTIME_KERNELS_SIMD_UNROLL_H
#define PML_RUNTIME_KERNELS_SIMD_UNROLL_H

#if defined(__clang__)
#define VEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VEC_UNROLL _Pragma("GCC unroll 24")
#endif
#define VEC_INLINE static inline __attribute__((always_inline))

#endif
