/* Lion's update, in vectors of AVX-512. */
#include "runtime/kernels/optimize_body.h"

void pml_lion_f32_avx512(const pml_lion *job) {
    lion_body(job);
}
