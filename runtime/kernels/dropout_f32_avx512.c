/* Dropout: AVX-512. */
#include "runtime/kernels/wide_avx512.h"

#include "runtime/kernels/dropout_body.h"

void pml_dropout_f32_avx512(const pml_dropout *job) {
    dropout_body(job);
}
