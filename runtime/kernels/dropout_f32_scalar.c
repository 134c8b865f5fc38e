/* Dropout: whatever vectors every CPU of its kind has. */
#include "runtime/kernels/dropout_body.h"

void pml_dropout_f32_scalar(const pml_dropout *job) {
    dropout_body(job);
}
