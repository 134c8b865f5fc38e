/* Gradients of one head of attention: AVX-512. */
#include "runtime/kernels/simd_avx512.h"
#include "runtime/kernels/wide_avx512.h"

#include "runtime/kernels/attention_gradient_simd.h"

void pml_attention_gradient_f32_avx512(const pml_attention_gradient *job) {
    attention_gradient_simd(job);
}
