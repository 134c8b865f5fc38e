/* Adam's update, in plain C: the twin that the others are tested against. */
#include "runtime/kernels/optimize_body.h"

void pml_adam_f32_scalar(const pml_adam *job) {
    adam_body(job);
}
