/* Gradients of one head of attention: AVX2 and FMA. */
#include "runtime/kernels/simd_avx2.h"
#include "runtime/kernels/wide_avx2.h"

#include "runtime/kernels/attention_gradient_simd.h"

void pml_attention_gradient_f32_avx2(const pml_attention_gradient *job) {
    attention_gradient_simd(job);
}
