/* Gradients of layer normalisation: AVX-512. */
#include "runtime/kernels/layer_norm_gradient_body.h"

void pml_layer_norm_gradient_f32_avx512(const pml_layer_norm_gradient *job) {
    layer_norm_gradient_body(job);
}
