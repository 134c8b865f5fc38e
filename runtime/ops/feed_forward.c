/* y = activation(x U + a) D + b + residual, some rows at a time: what lies between the products stays in the cache. */
#include "runtime/ops/feed_forward_recorded.h"
#include "runtime/ops/low_rank_product.h"

/* Rows between the products take at least this much: that is what the second-level cache keeps beside panels. */
#define BETWEEN_BYTES ((size_t)1 << 20)
/* A multiple of every tile's rows. */
#define LEAST_ROWS 48u

/* Rows that go through both products before the next ones do. Every block reads both matrices anew, from further away
 * than the cache: with rows enough that costs less than to write and read what lies between. */
static size_t block_rows(size_t n_rows, size_t n_in, size_t width, size_t weight_bits) {
    const size_t fitting = width == 0 ? n_rows : BETWEEN_BYTES / sizeof(float) / width;
    const size_t paying = n_in / 16 * weight_bits;
    const size_t block = (fitting > paying ? fitting : paying) / LEAST_ROWS * LEAST_ROWS;
    return block < LEAST_ROWS ? (n_rows < LEAST_ROWS ? n_rows : LEAST_ROWS) : block < n_rows ? block : n_rows;
}

size_t pml_op_feed_forward_bytes(size_t n_rows, size_t n_in, size_t width) {
    return PML_FLOATS(block_rows(n_rows, n_in, width, pml_dtype_bits(PML_DTYPE_F32)), width);
}

static bool is_bias_of(const pml_tensor *bias, const pml_tensor *w) {
    return bias == NULL || pml_op_is_vector(bias, pml_tensor_columns(w));
}

static pml_status check(pml_context *context, const pml_tensor *x, const pml_feed_forward *layer, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1 && layer->up->rank == 2 && layer->down->rank == 2,
                   "feed_forward: x must be F32 of rank 1 or more, both matrices of rank 2");
    PML_OP_REQUIRE(pml_tensor_columns(x) == layer->up->shape[0] && layer->up->shape[1] == layer->down->shape[0],
                   "feed_forward: x has %zu columns, the matrices are [%zu, %zu] and [%zu, %zu]", pml_tensor_columns(x),
                   layer->up->shape[0], layer->up->shape[1], layer->down->shape[0], layer->down->shape[1]);
    PML_OP_REQUIRE(is_bias_of(layer->up_bias, layer->up) && is_bias_of(layer->down_bias, layer->down),
                   "feed_forward: a bias does not fit its matrix");
    PML_TRY(pml_product_check(context, layer->up, "feed_forward", error));
    PML_TRY(pml_product_check(context, layer->down, "feed_forward", error));
    if (layer->up_adapter != NULL) {
        PML_TRY(pml_low_rank_check(context, layer->up_adapter, layer->up, "feed_forward", error));
    }
    if (layer->down_adapter != NULL) {
        PML_TRY(pml_low_rank_check(context, layer->down_adapter, layer->down, "feed_forward", error));
    }

done:
    return status;
}

static pml_status multiply(pml_context *context, const pml_matmul *job, const pml_tensor *w,
                           const pml_low_rank *adapter, pml_error *error) {
    pml_product_bytes bytes = {0};
    return adapter != NULL ? pml_low_rank_run(context, job, w, adapter, &bytes, error)
                           : pml_product_run(context, job, w, 0, &bytes, error);
}

/* The rows from `first` on; `between` has room for them. */
static pml_status run_block(pml_context *context, const pml_tensor *x, const pml_feed_forward *layer, size_t first,
                            size_t n_rows, float *between, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_in = layer->up->shape[0], width = layer->up->shape[1], n_out = layer->down->shape[1];
    const pml_matmul up = {
        .m = n_rows,
        .k = n_in,
        .n = width,
        .x = pml_tensor_f32_const(x) + first * n_in,
        .x_stride = n_in,
        .w = pml_tensor_bytes(layer->up),
        .y = between,
        .y_stride = width,
        .bias = layer->up_bias == NULL ? NULL : pml_tensor_f32_const(layer->up_bias),
        .activation = layer->activation,
    };
    const pml_matmul down = {
        .m = n_rows,
        .k = width,
        .n = n_out,
        .x = between,
        .x_stride = width,
        .w = pml_tensor_bytes(layer->down),
        .y = pml_tensor_f32(y) + first * n_out,
        .y_stride = n_out,
        .bias = layer->down_bias == NULL ? NULL : pml_tensor_f32_const(layer->down_bias),
        .residual = layer->residual == NULL ? NULL : pml_tensor_f32_const(layer->residual) + first * n_out,
        .residual_stride = n_out,
    };
    PML_TRY(multiply(context, &up, layer->up, layer->up_adapter, error));
    PML_TRY(multiply(context, &down, layer->down, layer->down_adapter, error));

done:
    return status;
}

pml_status pml_op_feed_forward(pml_context *context, const pml_tensor *x, const pml_feed_forward *layer, pml_tensor *y,
                               pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(check(context, x, layer, error));
    if (context->tape != NULL && (layer->up_adapter != NULL || layer->down_adapter != NULL)) {
        PML_TRY(pml_low_rank_record_feed_forward(context, x, layer, y, error));
        goto done;
    }
    const size_t n_rows = pml_tensor_rows(x), width = layer->up->shape[1];
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = layer->down->shape[1];
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    PML_OP_REQUIRE(layer->residual == NULL ||
                       (pml_op_is(layer->residual, PML_DTYPE_F32) && pml_op_same_shape(layer->residual, y)),
                   "feed_forward: the residual does not have the result's shape");
    if (context->tape != NULL) {
        PML_TRY(pml_feed_forward_record(context, x, layer, y, error));
        goto done;
    }
    const size_t mark = pml_context_mark(context),
                 block = block_rows(n_rows, layer->up->shape[0], width, pml_dtype_bits(layer->up->dtype));
    float *between;
    PML_TRY(pml_context_scratch(context, block * width, &between, error));
    for (size_t first = 0; first < n_rows; first += block) {
        const size_t n = n_rows - first < block ? n_rows - first : block;
        PML_TRY(run_block(context, x, layer, first, n, between, y, error));
    }
    pml_context_release(context, mark, NULL);

done:
    return status;
}
