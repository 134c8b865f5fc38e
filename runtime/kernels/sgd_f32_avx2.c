/* SGD's update, in vectors of AVX2. */
#include "runtime/kernels/optimize_body.h"

void pml_sgd_f32_avx2(const pml_sgd *job) {
    sgd_body(job);
}
