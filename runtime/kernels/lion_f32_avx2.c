/* Lion's update, in vectors of AVX2. */
#include "runtime/kernels/optimize_body.h"

void pml_lion_f32_avx2(const pml_lion *job) {
    lion_body(job);
}
