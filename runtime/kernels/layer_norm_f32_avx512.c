/* Layer norm by row: AVX-512. */
#include "runtime/kernels/layer_norm_body.h"

void pml_layer_norm_f32_avx512(const pml_layer_norm *job) {
    layer_norm_body(job);
}
