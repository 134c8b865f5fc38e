/* Lion's update, in plain C: the twin that the others are tested against. */
#include "runtime/kernels/optimize_body.h"

void pml_lion_f32_scalar(const pml_lion *job) {
    lion_body(job);
}
