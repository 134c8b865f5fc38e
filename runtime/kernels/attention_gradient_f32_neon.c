/* Gradients of one head of attention: NEON. */
#include "runtime/kernels/simd_neon.h"

#include "runtime/kernels/attention_gradient_simd.h"

void pml_attention_gradient_f32_neon(const pml_attention_gradient *job) {
    attention_gradient_simd(job);
}
