/* Dropout: AVX2. */
#include "runtime/kernels/wide_avx2.h"

#include "runtime/kernels/dropout_body.h"

void pml_dropout_f32_avx2(const pml_dropout *job) {
    dropout_body(job);
}
