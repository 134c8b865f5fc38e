/* Backward of y = x W + bias + residual: dx = g W^T, dW = x^T g, dbias = the sum of g's rows, dresidual = g. */
#include "runtime/ops/linear_groups.h"
#include "runtime/ops/product_backward.h"
#include "runtime/ops/reduce.h"

typedef struct targets { /* NULL: not wanted */
    float *x, *w, *bias;
    bool x_is_new;
} targets;

static pml_status run_job(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                          const pml_linear_groups *split, size_t i_group, size_t i_job, const targets *to,
                          pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *w = &entry->inputs[1];
    const size_t n_in = w->shape[w->rank - 2], n_out = w->shape[w->rank - 1];
    const size_t first = i_group * split->group_rows + i_job * split->job_rows;
    const pml_product_operands rows = {
        .m = split->m,
        .x = pml_tensor_f32_const(x) + first * n_in,
        .x_stride = split->row_step * n_in,
        .g = pml_gradient_out(gradients, entry) + first * n_out,
        .g_stride = split->row_step * n_out,
    };
    if (to->x != NULL) {
        PML_TRY(pml_product_input_backward(context, gradients, &rows, w, i_group, to->x + first * n_in,
                                           split->row_step * n_in, to->x_is_new, error));
    }
    if (to->w != NULL) {
        PML_TRY(
            pml_product_weight_backward(context, gradients, &rows, n_in, n_out, to->w + i_group * n_in * n_out, error));
    }
    if (to->bias != NULL) {
        PML_TRY(pml_reduce_rows(context, gradients, rows.g, rows.m, n_out, rows.g_stride, to->bias + i_group * n_out,
                                error));
    }

done:
    pml_gradients_scratch_end(gradients);
    return status;
}

pml_status pml_linear_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                               pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *w = &entry->inputs[1], *bias = &entry->inputs[2];
    const pml_linear_groups split = pml_linear_split(x, w);
    targets to = {0};
    PML_TRY(pml_gradient_begin(gradients, x, &to.x, &to.x_is_new, error));
    /* Every row of x belongs to one job, which then sets all of it; what is empty stays so. */
    for (size_t g = 0; to.x != NULL && g < split.n_groups; g++) {
        for (size_t j = 0; j < split.n_jobs; j++) {
            PML_TRY(run_job(context, gradients, entry, &split, g, j, &(targets){.x = to.x, .x_is_new = to.x_is_new},
                            error));
        }
    }
    PML_TRY(pml_gradient_of(gradients, w, &to.w, error));
    PML_TRY(pml_gradient_of(gradients, bias, &to.bias, error));
    to.x = NULL;
    for (size_t g = 0; (to.w != NULL || to.bias != NULL) && g < split.n_groups; g++) {
        for (size_t j = 0; j < split.n_jobs; j++) {
            PML_TRY(run_job(context, gradients, entry, &split, g, j, &to, error));
        }
    }
    PML_TRY(pml_gradient_add(gradients, &entry->inputs[3], pml_gradient_out(gradients, entry), 1, error));

done:
    return status;
}
