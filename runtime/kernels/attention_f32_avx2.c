/* One head of attention: AVX2 and FMA. */
#include "runtime/kernels/simd_avx2.h"
#include "runtime/kernels/wide_avx2.h"

#include "runtime/kernels/attention_simd.h"

void pml_attention_f32_avx2(const pml_attention *job) {
    attention_simd(job);
}
