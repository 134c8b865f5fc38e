#include "runtime/ops/score.h"

#include "runtime/ops/product.h"
#include "runtime/ops/product_backward.h"
#include "runtime/ops/reduce.h"

/* Scores that exist at a time; for wide matrices as many rows as their gradient takes at once, because every chunk
 * reads and writes all of it. */
#define CHUNK_FLOATS ((size_t)1 << 22)
#define LEAST_ROWS 256u

static size_t chunk_rows(size_t width, size_t n_rows) {
    const size_t n = CHUNK_FLOATS / width < LEAST_ROWS ? LEAST_ROWS : CHUNK_FLOATS / width;
    return n < n_rows ? n : n_rows;
}

typedef struct chunk {
    const pml_tensor *x, *w, *bias, *slots; /* bias: NULL or of dtype NONE: none */
    const pml_score_taker *taker;
    size_t first_slot;
    size_t first, n; /* rows */
    float *scores;   /* [n][out] */
} chunk;

static const float *bias_of(const chunk *c) {
    return c->bias == NULL || c->bias->dtype == PML_DTYPE_NONE ? NULL : pml_tensor_f32_const(c->bias);
}

static pml_status run_chunk(pml_context *context, const chunk *c, bool differentiate, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_in = c->w->shape[0], n_out = c->w->shape[1];
    pml_product_bytes bytes = {0};
    const pml_matmul job = {.m = c->n,
                            .k = n_in,
                            .n = n_out,
                            .x = pml_tensor_f32_const(c->x) + c->first * n_in,
                            .x_stride = n_in,
                            .w = pml_tensor_bytes(c->w),
                            .y = c->scores,
                            .y_stride = n_out,
                            .bias = bias_of(c),
                            .activation = PML_ACTIVATION_IDENTITY};
    PML_TRY(pml_product_run(context, &job, c->w, 0, &bytes, error));
    PML_TRY(c->taker->take(c->taker->user, context, c->first_slot, pml_tensor_f32_const(c->slots) + c->first, c->n,
                           n_out, c->scores, differentiate, error));

done:
    return status;
}

/* What the derivatives in a chunk add to the gradients of x, w and bias. */
static pml_status chunk_backward(pml_context *context, pml_gradients *gradients, const chunk *c, float *dx,
                                 bool dx_is_new, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_in = c->w->shape[0], n_out = c->w->shape[1];
    const pml_product_operands rows = {.m = c->n,
                                       .x = pml_tensor_f32_const(c->x) + c->first * n_in,
                                       .x_stride = n_in,
                                       .g = c->scores,
                                       .g_stride = n_out};
    float *dw = NULL, *dbias = NULL;
    if (dx != NULL) {
        PML_TRY(pml_product_input_backward(context, gradients, &rows, c->w, 0, dx + c->first * n_in, n_in, dx_is_new,
                                           error));
    }
    PML_TRY(pml_gradient_of(gradients, c->w, &dw, error));
    if (dw != NULL) {
        PML_TRY(pml_product_weight_backward(context, gradients, &rows, n_in, n_out, dw, error));
    }
    if (bias_of(c) != NULL) {
        PML_TRY(pml_gradient_of(gradients, c->bias, &dbias, error));
    }
    if (dbias != NULL) {
        PML_TRY(pml_reduce_rows(context, gradients, rows.g, rows.m, n_out, n_out, dbias, error));
    }

done:
    return status;
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_rows = pml_tensor_rows(&entry->inputs[0]), n_out = entry->inputs[1].shape[1];
    const size_t n_chunk = chunk_rows(n_out, n_rows);
    float *dx;
    bool dx_is_new;
    PML_TRY(pml_gradient_begin(gradients, &entry->inputs[0], &dx, &dx_is_new, error));
    for (size_t first = 0; first < n_rows; first += n_chunk) {
        chunk c = {.x = &entry->inputs[0],
                   .w = &entry->inputs[1],
                   .bias = &entry->inputs[2],
                   .slots = &entry->inputs[3],
                   .taker = entry->attributes.data,
                   .first_slot = (size_t)entry->attributes.integer[0],
                   .first = first,
                   .n = n_rows - first < n_chunk ? n_rows - first : n_chunk};
        PML_TRY(pml_gradients_scratch(gradients, n_chunk * n_out, &c.scores, error));
        PML_TRY(run_chunk(context, &c, true, error));
        PML_TRY(chunk_backward(context, gradients, &c, dx, dx_is_new, error));
        pml_gradients_scratch_end(gradients); /* the next chunk takes the same */
    }

done:
    return status;
}

static const pml_op op = {.name = "score", .backward = backward};

static pml_status compute(pml_context *context, chunk *c, pml_error *error) {
    pml_status status = PML_OK;
    const size_t mark = pml_context_mark(context), n_rows = pml_tensor_rows(c->x), n_out = c->w->shape[1];
    const size_t n_chunk = chunk_rows(n_out, n_rows);
    PML_TRY(pml_context_scratch(context, n_chunk * n_out, &c->scores, error));
    for (c->first = 0; c->first < n_rows; c->first += c->n) {
        c->n = n_rows - c->first < n_chunk ? n_rows - c->first : n_chunk;
        PML_TRY(run_chunk(context, c, false, error));
    }
    pml_context_release(context, mark, NULL);

done:
    return status;
}

pml_status pml_op_score(pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *bias,
                        const pml_tensor *slots, size_t first_slot, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(context->taker != NULL && pml_op_is(x, PML_DTYPE_F32) && x->rank == 2 && w->rank == 2 &&
                       w->shape[1] > 0 && x->shape[1] == w->shape[0] && pml_op_is_vector(slots, x->shape[0]) &&
                       (bias == NULL || pml_op_is_vector(bias, w->shape[1])),
                   "score: rows, matrix, bias and slots do not fit");
    PML_TRY(pml_product_check(context, w, "score", error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &(size_t){1}, 1, y, error));
    pml_tensor_f32(y)[0] = 0;
    context->taker->is_used = true;
    if (context->tape == NULL) {
        chunk c = {.x = x, .w = w, .bias = bias, .slots = slots, .taker = context->taker, .first_slot = first_slot};
        PML_TRY(compute(context, &c, error));
    }
    const pml_op_attributes attributes = {.integer = {(int64_t)first_slot}, .data = context->taker};
    PML_TRY(
        pml_tape_record(context->tape, &op, &attributes, (const pml_tensor *const[]){x, w, bias, slots}, 4, y, error));

done:
    return status;
}

pml_status pml_score_pick(pml_context *context, const pml_tensor *h, const pml_tensor *slots, size_t first_slot,
                          pml_tensor *rows, pml_tensor *row_slots, pml_error *error) {
    pml_status status = PML_OK;
    const pml_score_taker *taker = context->taker;
    const size_t n_rows = pml_tensor_rows(h);
    const float *from = pml_tensor_f32_const(slots);
    size_t n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        n += taker->counts(taker->user, first_slot + (size_t)from[i]);
    }
    if (n == n_rows) {
        *rows = *h;
        *row_slots = *slots;
        goto done;
    }
    pml_tensor indexes;
    n = n == 0 ? 1 : n;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &n, 1, &indexes, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &n, 1, row_slots, error));
    pml_tensor_f32(&indexes)[0] = 0;
    pml_tensor_f32(row_slots)[0] = from[0];
    for (size_t i = 0, k = 0; i < n_rows; i++) {
        if (taker->counts(taker->user, first_slot + (size_t)from[i])) {
            pml_tensor_f32(&indexes)[k] = (float)i;
            pml_tensor_f32(row_slots)[k++] = from[i];
        }
    }
    PML_TRY(pml_op_lookup(context, h, PML_LOOKUP_ROWS, &indexes, rows, error));

done:
    return status;
}
