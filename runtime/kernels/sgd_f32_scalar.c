/* SGD's update, in plain C: the twin that the others are tested against. */
#include "runtime/kernels/optimize_body.h"

void pml_sgd_f32_scalar(const pml_sgd *job) {
    sgd_body(job);
}
