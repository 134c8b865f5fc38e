/* Rows of unit length. */
#include <math.h>

#include "runtime/ops/op.h"

/* dx = (dy - y (y . dy)) / |x| where |x| is what was divided by, dy / least elsewhere. */
static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    (void)context;
    const pml_tensor *x = &entry->inputs[0];
    const size_t n = pml_tensor_columns(x), n_rows = n == 0 ? 0 : pml_tensor_count(x) / n;
    const double least = entry->attributes.real;
    float *dx;
    PML_TRY(pml_gradient_of(gradients, x, &dx, error));
    for (size_t i = 0; dx != NULL && i < n_rows; i++) {
        const float *from = pml_tensor_f32_const(x) + i * n, *dy = pml_gradient_out(gradients, entry) + i * n;
        double squares = 0, product = 0;
        for (size_t k = 0; k < n; k++) {
            squares += (double)from[k] * (double)from[k];
            product += (double)from[k] * (double)dy[k];
        }
        const double length = fmax(sqrt(squares), least), along = sqrt(squares) > least ? product / squares : 0;
        for (size_t k = 0; k < n; k++) {
            dx[i * n + k] += (float)(((double)dy[k] - along * (double)from[k]) / length);
        }
    }

done:
    return status;
}

static const pml_op op = {.name = "normalize", .backward = backward};

pml_status pml_op_normalize(pml_context *context, const pml_tensor *x, double least, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1, "normalize: x must be F32 of rank 1 or more");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const size_t n = pml_tensor_columns(x), n_rows = n == 0 ? 0 : pml_tensor_count(x) / n;
    for (size_t i = 0; i < n_rows; i++) {
        const float *from = pml_tensor_f32_const(x) + i * n;
        float *to = pml_tensor_f32(y) + i * n;
        double squares = 0;
        for (size_t k = 0; k < n; k++) {
            squares += (double)from[k] * (double)from[k];
        }
        const double length = fmax(sqrt(squares), least);
        for (size_t k = 0; k < n; k++) {
            to[k] = (float)((double)from[k] / length);
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.real = least}, (const pml_tensor *const[]){x}, 1,
                            y, error));

done:
    return status;
}
