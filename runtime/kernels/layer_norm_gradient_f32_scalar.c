/* Gradients of layer normalisation: whatever vectors every CPU of its kind has. */
#include "runtime/kernels/layer_norm_gradient_body.h"

void pml_layer_norm_gradient_f32_scalar(const pml_layer_norm_gradient *job) {
    layer_norm_gradient_body(job);
}
