/* One head of attention: NEON. */
#include "runtime/kernels/simd_neon.h"

#include "runtime/kernels/attention_simd.h"

void pml_attention_f32_neon(const pml_attention *job) {
    attention_simd(job);
}
