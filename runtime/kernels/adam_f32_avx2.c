/* Adam's update, in vectors of AVX2. */
#include "runtime/kernels/optimize_body.h"

void pml_adam_f32_avx2(const pml_adam *job) {
    adam_body(job);
}
