#include "runtime/ops/low_rank_product.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/split.h"

size_t pml_low_rank_bytes(size_t n_rows, size_t rank) {
    return PML_FLOATS(n_rows, rank);
}

pml_status pml_low_rank_check(const pml_context *context, const pml_low_rank *adapter, const pml_tensor *w,
                              const char *op, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *a = &adapter->a, *b = &adapter->b;
    PML_OP_REQUIRE(pml_op_is(a, PML_DTYPE_F32) && pml_op_is(b, PML_DTYPE_F32) && a->rank == 2 && b->rank == 2 &&
                       w->rank == 2,
                   "%s: an adapter has two F32 matrices, and is added to one", op);
    PML_OP_REQUIRE(a->shape[0] == w->shape[0] && a->shape[1] == b->shape[0] && b->shape[1] == w->shape[1],
                   "%s: an adapter of [%zu, %zu] and [%zu, %zu] does not fit a matrix [%zu, %zu]", op, a->shape[0],
                   a->shape[1], b->shape[0], b->shape[1], w->shape[0], w->shape[1]);
    PML_TRY(pml_product_check(context, a, op, error));

done:
    return status;
}

/* ---- without a tape: in place ---- */
typedef struct finish_job {
    const pml_context *context;
    const pml_matmul *product;
} finish_job;

/* Applies what a product does behind its sum to rows of y that are this sum. */
static void finish_rows(void *user, size_t begin, size_t end) {
    const finish_job *job = user;
    const pml_matmul *of = job->product;
    for (size_t i = begin; i < end; i++) {
        float *y = of->y + i * of->y_stride;
        job->context->kernels.activate_f32(of->activation, y, of->n);
        const float *residual = of->residual == NULL ? NULL : of->residual + i * of->residual_stride;
        for (size_t k = 0; residual != NULL && k < of->n; k++) {
            y[k] += residual[k];
        }
    }
}

/* y += scale (x A) B. */
static pml_status add(pml_context *context, const pml_matmul *job, const pml_low_rank *adapter, pml_error *error) {
    pml_status status = PML_OK;
    const size_t rank = adapter->a.shape[1], mark = pml_context_mark(context);
    float *narrow;
    PML_TRY(pml_context_scratch(context, job->m * rank, &narrow, error));
    const pml_matmul down = {.m = job->m,
                             .k = job->k,
                             .n = rank,
                             .x = job->x,
                             .x_stride = job->x_stride,
                             .w = pml_tensor_bytes(&adapter->a),
                             .y = narrow,
                             .y_stride = rank};
    const pml_matmul up = {.m = job->m,
                           .k = rank,
                           .n = job->n,
                           .x = narrow,
                           .x_stride = rank,
                           .w = pml_tensor_bytes(&adapter->b),
                           .y = job->y,
                           .y_stride = job->y_stride,
                           .residual = job->y,
                           .residual_stride = job->y_stride};
    PML_TRY(pml_product_run(context, &down, &adapter->a, 0, &(pml_product_bytes){0}, error));
    for (size_t i = 0; i < job->m * rank; i++) { /* as pml_op_affine rounds, which a tape records */
        narrow[i] = (float)((double)narrow[i] * adapter->scale);
    }
    PML_TRY(pml_product_run(context, &up, &adapter->b, 0, &(pml_product_bytes){0}, error));
    pml_context_release(context, mark, NULL);

done:
    return status;
}

pml_status pml_low_rank_run(pml_context *context, const pml_matmul *job, const pml_tensor *w,
                            const pml_low_rank *adapter, pml_product_bytes *bytes, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_sum = job->activation == PML_ACTIVATION_IDENTITY;
    pml_matmul base = *job;
    base.activation = PML_ACTIVATION_IDENTITY;
    base.residual = is_sum ? job->residual : NULL;
    PML_TRY(pml_product_run(context, &base, w, 0, bytes, error));
    PML_TRY(add(context, job, adapter, error));
    if (!is_sum) {
        finish_job finish = {context, job};
        pml_context_ranges(context, job->m, 1, PML_COST_VALUES(job->m * job->n), finish_rows, &finish);
    }

done:
    return status;
}

/* ---- with a tape: as ops ---- */
pml_status pml_low_rank_record(pml_context *context, const pml_tensor *x, const pml_linear_part *part,
                               pml_error *error) {
    pml_status status = PML_OK;
    const pml_low_rank *adapter = part->adapter;
    const bool is_sum = part->activation == PML_ACTIVATION_IDENTITY;
    pml_tensor plain, dropped, narrow, scaled, before, after;
    PML_TRY(pml_op_linear(context, x, part->w, part->bias, PML_ACTIVATION_IDENTITY, is_sum ? part->residual : NULL,
                          &plain, error));
    PML_TRY(pml_op_dropout(context, x, adapter->dropout, &dropped, error));
    PML_TRY(pml_op_linear(context, &dropped, &adapter->a, NULL, PML_ACTIVATION_IDENTITY, NULL, &narrow, error));
    PML_TRY(pml_op_affine(context, &narrow, adapter->scale, 0, &scaled, error));
    PML_TRY(pml_op_linear(context, &scaled, &adapter->b, NULL, PML_ACTIVATION_IDENTITY, &plain,
                          is_sum ? part->y : &before, error));
    if (!is_sum) {
        PML_TRY(pml_op_activate(context, &before, part->activation, part->residual == NULL ? part->y : &after, error));
    }
    if (!is_sum && part->residual != NULL) {
        PML_TRY(pml_op_add(context, &after, part->residual, part->y, error));
    }

done:
    return status;
}

pml_status pml_low_rank_record_feed_forward(pml_context *context, const pml_tensor *x, const pml_feed_forward *layer,
                                            pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor between, dropped;
    const pml_linear_part up = {.w = layer->up,
                                .bias = layer->up_bias,
                                .activation = layer->activation,
                                .adapter = layer->up_adapter,
                                .y = &between};
    const pml_linear_part down = {.w = layer->down,
                                  .bias = layer->down_bias,
                                  .activation = PML_ACTIVATION_IDENTITY,
                                  .residual = layer->residual,
                                  .adapter = layer->down_adapter,
                                  .y = y};
    PML_TRY(pml_op_linears(context, x, &up, 1, error));
    PML_TRY(pml_op_dropout(context, &between, layer->dropout, &dropped, error));
    PML_TRY(pml_op_linears(context, &dropped, &down, 1, error));

done:
    return status;
}
