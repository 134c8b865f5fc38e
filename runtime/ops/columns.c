/* A scale and a shift per column, and the way back. */
#include "runtime/ops/op.h"
#include "runtime/ops/reduce.h"

/* dx [m][n] = or += g * factor, which differs by column. */
static void spread(const float *g, const double *factors, size_t m, size_t n, bool is_new, float *dx) {
    for (size_t i = 0; i < m * n; i += n) {
        for (size_t c = 0; c < n; c++) {
            const float value = (float)((double)g[i + c] * factors[c]);
            dx[i + c] = is_new ? value : dx[i + c] + value;
        }
    }
}

/* y = x * w + b */
static pml_status scale_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                 pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *weight = &entry->inputs[1];
    const float *g = pml_gradient_out(gradients, entry);
    const size_t n = pml_tensor_columns(x), m = n == 0 ? 0 : pml_tensor_count(x) / n;
    float *dx, *dw, *db, *scratch;
    bool is_new;
    PML_TRY(pml_gradient_begin(gradients, x, &dx, &is_new, error));
    if (dx != NULL) {
        PML_TRY(pml_gradients_scratch(gradients, 2 * n, &scratch, error));
        double *factors = (double *)(void *)scratch;
        for (size_t c = 0; c < n; c++) {
            factors[c] = (double)pml_tensor_f32_const(weight)[c];
        }
        spread(g, factors, m, n, is_new, dx);
    }
    PML_TRY(pml_gradient_of(gradients, weight, &dw, error));
    if (dw != NULL) {
        PML_TRY(pml_reduce_products(context, gradients, g, pml_tensor_f32_const(x), m, n, n, dw, error));
    }
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[2], &db, error));
    if (db != NULL) {
        PML_TRY(pml_reduce_rows(context, gradients, g, m, n, n, db, error));
    }

done:
    return status;
}

/* y = (x - b) / d, where d = w + floor: dx = g / d, db = -sum g / d, dw = -sum g y / d */
static pml_status unscale_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                   pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *weight = &entry->inputs[1];
    const float *g = pml_gradient_out(gradients, entry);
    const size_t n = pml_tensor_columns(x), m = n == 0 ? 0 : pml_tensor_count(x) / n;
    float *dx, *dw, *db, *sums, *scratch;
    bool is_new;
    PML_TRY(pml_gradients_scratch(gradients, n, &sums, error));
    PML_TRY(pml_gradients_scratch(gradients, 2 * n, &scratch, error));
    double *factors = (double *)(void *)scratch;
    for (size_t c = 0; c < n; c++) {
        factors[c] = 1 / ((double)pml_tensor_f32_const(weight)[c] + entry->attributes.real);
    }
    PML_TRY(pml_gradient_begin(gradients, x, &dx, &is_new, error));
    if (dx != NULL) {
        spread(g, factors, m, n, is_new, dx);
    }
    PML_TRY(pml_gradient_of(gradients, weight, &dw, error));
    if (dw != NULL) {
        memset(sums, 0, n * sizeof *sums);
        PML_TRY(pml_reduce_products(context, gradients, g, pml_tensor_f32_const(&entry->output), m, n, n, sums, error));
        for (size_t c = 0; c < n; c++) {
            dw[c] -= (float)((double)sums[c] * factors[c]);
        }
    }
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[2], &db, error));
    if (db != NULL) {
        memset(sums, 0, n * sizeof *sums);
        PML_TRY(pml_reduce_rows(context, gradients, g, m, n, n, sums, error));
        for (size_t c = 0; c < n; c++) {
            db[c] -= (float)((double)sums[c] * factors[c]);
        }
    }

done:
    return status;
}

static const pml_op op_columns = {.name = "scale_columns", .backward = scale_backward};
static const pml_op op_undo = {.name = "unscale_columns", .backward = unscale_backward};

static bool fit(const pml_tensor *x, const pml_tensor *weight, const pml_tensor *bias) {
    return pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1 && pml_op_is_vector(weight, pml_tensor_columns(x)) &&
           pml_op_is_vector(bias, pml_tensor_columns(x));
}

pml_status pml_op_scale_columns(pml_context *context, const pml_tensor *x, const pml_tensor *weight,
                                const pml_tensor *bias, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(fit(x, weight, bias), "scale_columns: x must be F32 [..., n], weight and bias [n]");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const float *from = pml_tensor_f32_const(x), *w = pml_tensor_f32_const(weight), *b = pml_tensor_f32_const(bias);
    float *to = pml_tensor_f32(y);
    const size_t n = pml_tensor_columns(x);
    for (size_t i = 0, count = pml_tensor_count(x); i < count; i += n) {
        for (size_t c = 0; c < n; c++) {
            to[i + c] = (float)((double)from[i + c] * (double)w[c] + (double)b[c]);
        }
    }
    PML_TRY(
        pml_tape_record(context->tape, &op_columns, NULL, (const pml_tensor *const[]){x, weight, bias}, 3, y, error));

done:
    return status;
}

pml_status pml_op_unscale_columns(pml_context *context, const pml_tensor *x, const pml_tensor *weight,
                                  const pml_tensor *bias, double floor, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(fit(x, weight, bias), "unscale_columns: x must be F32 [..., n], weight and bias [n]");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const float *from = pml_tensor_f32_const(x), *w = pml_tensor_f32_const(weight), *b = pml_tensor_f32_const(bias);
    float *to = pml_tensor_f32(y);
    const size_t n = pml_tensor_columns(x);
    for (size_t i = 0, count = pml_tensor_count(x); i < count; i += n) {
        for (size_t c = 0; c < n; c++) {
            to[i + c] = (float)(((double)from[i + c] - (double)b[c]) / ((double)w[c] + floor));
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_undo, &(pml_op_attributes){.real = floor},
                            (const pml_tensor *const[]){x, weight, bias}, 3, y, error));

done:
    return status;
}
