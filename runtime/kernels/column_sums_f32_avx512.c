/* Sums over rows: AVX-512. */
#include "runtime/kernels/column_sums_body.h"

void pml_column_sums_f32_avx512(const pml_column_sums *job) {
    column_sums_body(job);
}
