/* One head of attention: AVX-512. */
#include "runtime/kernels/simd_avx512.h"
#include "runtime/kernels/wide_avx512.h"

#include "runtime/kernels/attention_simd.h"

void pml_attention_f32_avx512(const pml_attention *job) {
    attention_simd(job);
}
