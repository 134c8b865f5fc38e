/* Layer norm by row: AVX2 and FMA. */
#include "runtime/kernels/layer_norm_body.h"

void pml_layer_norm_f32_avx2(const pml_layer_norm *job) {
    layer_norm_body(job);
}
