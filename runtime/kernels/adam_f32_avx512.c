/* Adam's update, in vectors of AVX-512. */
#include "runtime/kernels/optimize_body.h"

void pml_adam_f32_avx512(const pml_adam *job) {
    adam_body(job);
}
