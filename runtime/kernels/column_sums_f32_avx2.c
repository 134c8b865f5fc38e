/* Sums over rows: AVX2 and FMA. */
#include "runtime/kernels/column_sums_body.h"

void pml_column_sums_f32_avx2(const pml_column_sums *job) {
    column_sums_body(job);
}
