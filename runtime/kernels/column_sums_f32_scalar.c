/* Sums over rows: whatever vectors every CPU of its kind has. */
#include "runtime/kernels/column_sums_body.h"

void pml_column_sums_f32_scalar(const pml_column_sums *job) {
    column_sums_body(job);
}
