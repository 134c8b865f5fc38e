/* Scaled dot-product attention over any axis, head by head, through the attention kernel. */
#include "runtime/ops/op.h"

static const pml_op op = {.name = "attention"};

/* Sequences within q (or k, v): token t of sequence i lies at row first(i) + t * row_step. */
typedef struct sequences {
    size_t n_sequences;
    size_t n_inner; /* product of the axes between the tokens' and the last: also row_step */
    size_t n_tokens;
} sequences;

static sequences describe(const pml_tensor *x, unsigned axis) {
    sequences s = {.n_sequences = 1, .n_inner = 1, .n_tokens = x->shape[axis]};
    for (unsigned i = 0; i + 1 < x->rank; i++) {
        s.n_sequences *= i == axis ? 1 : x->shape[i];
        s.n_inner *= i > axis ? x->shape[i] : 1;
    }
    return s;
}

static size_t first_row(const sequences *s, size_t i_sequence) {
    return i_sequence / s->n_inner * s->n_inner * s->n_tokens + i_sequence % s->n_inner;
}

static bool differ_only_along(const pml_tensor *a, const pml_tensor *b, unsigned axis) {
    if (a->rank != b->rank) {
        return false;
    }
    for (unsigned i = 0; i < a->rank; i++) {
        if (i != axis && a->shape[i] != b->shape[i]) {
            return false;
        }
    }
    return true;
}

static pml_status check_options(const pml_context *context, const pml_tensor *q, const pml_tensor *k,
                                const pml_tensor *v, const pml_attention_options *options, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(options->cache == NULL || (options->row_offsets != NULL && options->causal && context->tape == NULL),
                   "attention: a cache needs row offsets and causal attention, and has no gradient");
    PML_OP_REQUIRE(pml_op_is(q, PML_DTYPE_F32) && pml_op_is(k, PML_DTYPE_F32) && pml_op_is(v, PML_DTYPE_F32) &&
                       q->rank >= 2 && options->axis + 1 < q->rank,
                   "attention: q, k and v must be F32 of rank 2 or more, with tokens along axis %u", options->axis);
    PML_OP_REQUIRE(differ_only_along(q, k, options->axis) && pml_op_same_shape(k, v),
                   "attention: the shapes of q, k and v do not belong together");
    PML_OP_REQUIRE(options->n_heads > 0 && pml_tensor_columns(q) % options->n_heads == 0,
                   "attention: %zu heads do not divide %zu columns", options->n_heads, pml_tensor_columns(q));
    PML_OP_REQUIRE(!options->causal || k->shape[options->axis] >= q->shape[options->axis],
                   "attention: causal attention needs at least as many keys as queries");
    if (options->row_offsets != NULL) {
        PML_OP_REQUIRE(q->rank == 2 && k->shape[0] == q->shape[0] && options->row_offsets[0] == 0 &&
                           options->row_offsets[options->n_sequences] == q->shape[0],
                       "attention: row offsets must cover the rows of q exactly");
        for (size_t i = 0; i < options->n_sequences; i++) {
            PML_OP_REQUIRE(options->row_offsets[i] <= options->row_offsets[i + 1],
                           "attention: row offsets must not decrease");
        }
        if (options->mask != NULL || options->scores != NULL) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "attention: a ragged batch takes neither mask nor scores"));
        }
    }

done:
    return status;
}

/* Where mask rows of one sequence begin, and their stride. */
typedef struct mask_view {
    const float *data; /* NULL: no mask */
    size_t sequence_step, row_step;
} mask_view;

static pml_status view_mask(const pml_tensor *mask, size_t n_sequences, size_t n_queries, size_t n_keys,
                            mask_view *view, pml_error *error) {
    pml_status status = PML_OK;
    *view = (mask_view){0};
    if (mask != NULL) {
        PML_OP_REQUIRE(pml_op_is(mask, PML_DTYPE_F32) && (mask->rank == 2 || mask->rank == 3) &&
                           pml_tensor_columns(mask) == n_keys && (mask->rank == 2 || mask->shape[0] == n_sequences) &&
                           (mask->shape[mask->rank - 2] == 1 || mask->shape[mask->rank - 2] == n_queries),
                       "attention: the mask fits neither [queries, keys] nor [sequences, queries, keys]");
        size_t rows = mask->shape[mask->rank - 2];
        view->data = pml_tensor_f32_const(mask);
        view->row_step = rows == 1 ? 0 : n_keys;
        view->sequence_step = mask->rank == 3 ? rows * n_keys : 0;
    }

done:
    return status;
}

/* The scores of earlier layers (NULL when these are the first) and room for this layer's. */
static pml_status prepare_scores(pml_context *context, const pml_attention_options *options, size_t n_sequences,
                                 size_t n_queries, size_t n_keys, const float **in, pml_tensor *out, pml_error *error) {
    pml_status status = PML_OK;
    const size_t shape[] = {n_sequences, options->n_heads, n_queries, n_keys};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 4, out, error));
    if (options->scores->dtype != PML_DTYPE_NONE) {
        PML_OP_REQUIRE(pml_op_is(options->scores, PML_DTYPE_F32) && pml_op_same_shape(options->scores, out),
                       "attention: the handed scores have another shape than this layer's");
        *in = pml_tensor_f32_const(options->scores);
    }

done:
    return status;
}

/* ---- with a cache ---- */
/* Puts `n` tokens of one head behind those that the cache has: k and v begin at theirs, `step` floats apart. */
static void append(float *keys, float *values, size_t length, size_t n, size_t depth, const float *k, const float *v,
                   size_t step) {
    for (size_t t = 0; t < n; t++) {
        const size_t at = length + t;
        float *panel = keys + at / PML_KV_PANEL * PML_KV_PANEL * depth;
        if (at % PML_KV_PANEL == 0) {
            memset(panel, 0, PML_KV_PANEL * depth * sizeof *panel);
        }
        for (size_t i = 0; i < depth; i++) {
            panel[i * PML_KV_PANEL + at % PML_KV_PANEL] = k[t * step + i];
        }
        memcpy(values + at * depth, v + t * step, depth * sizeof *values);
    }
}

static pml_status attend_cached(pml_context *context, const pml_tensor *q, const pml_tensor *k, const pml_tensor *v,
                                const pml_attention_options *options, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const pml_kv_cache *cache = options->cache;
    const size_t n_columns = pml_tensor_columns(q), depth = n_columns / options->n_heads;
    float *work;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, q->rank, y, error));
    const size_t mark = pml_context_mark(context);
    PML_TRY(pml_context_scratch(context, pml_attention_work(cache->capacity, depth), &work, error));
    for (size_t i = 0; i < options->n_sequences; i++) {
        const size_t row = options->row_offsets[i], n = options->row_offsets[i + 1] - row;
        const size_t length = cache->lengths[i], first = cache->sequences[i] * cache->sequence_step;
        PML_OP_REQUIRE(length <= cache->capacity && n <= cache->capacity - length,
                       "attention: %zu tokens and %zu more do not fit a cache of %zu", length, n, cache->capacity);
        context->work.products += (uint64_t)2 * n * (length + n) * n_columns;
        for (size_t i_head = 0; i_head < options->n_heads; i_head++) {
            const size_t at = row * n_columns + i_head * depth;
            float *keys = cache->keys + first + i_head * cache->capacity * depth;
            float *values = cache->values + first + i_head * cache->capacity * depth;
            append(keys, values, length, n, depth, pml_tensor_f32_const(k) + at, pml_tensor_f32_const(v) + at,
                   n_columns);
            context->kernels.attention_f32(&(pml_attention){
                .n_queries = n,
                .n_keys = length + n,
                .depth = depth,
                .q = pml_tensor_f32_const(q) + at,
                .q_stride = n_columns,
                .k_panels = keys,
                .v = values,
                .v_stride = depth,
                .y = pml_tensor_f32(y) + at,
                .y_stride = n_columns,
                .scale = options->scale,
                .causal = true,
                .work = work,
            });
        }
    }
    pml_context_release(context, mark, NULL);

done:
    return status;
}

pml_status pml_op_attention(pml_context *context, const pml_tensor *q, const pml_tensor *k, const pml_tensor *v,
                            const pml_attention_options *options, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(check_options(context, q, k, v, options, error));
    if (options->cache != NULL) {
        PML_TRY(attend_cached(context, q, k, v, options, y, error));
        goto done;
    }
    const size_t *offsets = options->row_offsets;
    const size_t n_columns = pml_tensor_columns(q), depth = n_columns / options->n_heads;
    const sequences queries = describe(q, options->axis), keys = describe(k, options->axis);
    const size_t n_sequences = offsets == NULL ? queries.n_sequences : options->n_sequences;
    const size_t step = queries.n_inner * n_columns;
    mask_view mask;
    PML_TRY(view_mask(options->mask, n_sequences, queries.n_tokens, keys.n_tokens, &mask, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, q->rank, y, error));
    pml_tensor scores_out = {0};
    const float *scores_in = NULL;
    if (options->scores != NULL) {
        PML_TRY(prepare_scores(context, options, n_sequences, queries.n_tokens, keys.n_tokens, &scores_in, &scores_out,
                               error));
    }
    const size_t mark = pml_context_mark(context);
    float *work;
    PML_TRY(pml_context_scratch(context, pml_attention_work(keys.n_tokens, depth), &work, error));
    const size_t n_scores = queries.n_tokens * keys.n_tokens;
    for (size_t i = 0; i < n_sequences; i++) {
        const size_t q_row = offsets != NULL ? offsets[i] : first_row(&queries, i);
        const size_t k_row = offsets != NULL ? offsets[i] : first_row(&keys, i);
        const size_t n_ragged = offsets != NULL ? offsets[i + 1] - offsets[i] : 0;
        context->work.products += (uint64_t)2 * n_columns * (offsets != NULL ? n_ragged * n_ragged : n_scores);
        for (size_t i_head = 0; i_head < options->n_heads; i_head++) {
            const size_t i_scores = (i * options->n_heads + i_head) * n_scores;
            context->kernels.attention_f32(&(pml_attention){
                .n_queries = offsets != NULL ? n_ragged : queries.n_tokens,
                .n_keys = offsets != NULL ? n_ragged : keys.n_tokens,
                .depth = depth,
                .q = pml_tensor_f32_const(q) + q_row * n_columns + i_head * depth,
                .q_stride = step,
                .k = pml_tensor_f32_const(k) + k_row * n_columns + i_head * depth,
                .k_stride = step,
                .v = pml_tensor_f32_const(v) + k_row * n_columns + i_head * depth,
                .v_stride = step,
                .y = pml_tensor_f32(y) + q_row * n_columns + i_head * depth,
                .y_stride = step,
                .scale = options->scale,
                .causal = options->causal,
                .scores_in = scores_in == NULL ? NULL : scores_in + i_scores,
                .scores_out = options->scores == NULL ? NULL : pml_tensor_f32(&scores_out) + i_scores,
                .mask = mask.data == NULL ? NULL : mask.data + i * mask.sequence_step,
                .mask_stride = mask.row_step,
                .work = work,
            });
        }
    }
    pml_context_release(context, mark, NULL);
    PML_TRY(pml_tape_record(
        context->tape, &op,
        &(pml_op_attributes){.real = (double)options->scale,
                             .integer = {(int64_t)options->n_heads, (int64_t)options->axis, options->causal}},
        (const pml_tensor *const[]){q, k, v, options->mask,
                                    options->scores != NULL && scores_in != NULL ? options->scores : NULL},
        5, y, error));
    if (options->scores != NULL) {
        *options->scores = scores_out;
    }

done:
    return status;
}
