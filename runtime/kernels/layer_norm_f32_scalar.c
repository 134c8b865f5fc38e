/* Layer norm by row: the plain twin that the others are tested against. */
#include "runtime/kernels/layer_norm_body.h"

void pml_layer_norm_f32_scalar(const pml_layer_norm *job) {
    layer_norm_body(job);
}
