/* Scaled dot-product attention over any axis, head by head, through the attention kernel. */
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/split.h"

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

typedef struct cached_heads {
    const pml_attention_options *options;
    const float *q, *k, *v;
    float *y;
    size_t n_columns, depth;
} cached_heads;

/* Where keys and values of one head begin in the cache. */
static size_t find_cached(const cached_heads *heads, size_t i_sequence, size_t i_head) {
    const pml_kv_cache *cache = heads->options->cache;
    return cache->sequences[i_sequence] * cache->sequence_step + i_head * cache->capacity * heads->depth;
}

static void append_heads(void *user, size_t begin, size_t end) {
    const cached_heads *heads = user;
    const pml_kv_cache *cache = heads->options->cache;
    for (size_t i = begin; i < end; i++) {
        const size_t i_sequence = i / heads->options->n_heads, i_head = i % heads->options->n_heads;
        const size_t *rows = &heads->options->row_offsets[i_sequence];
        const size_t at = rows[0] * heads->n_columns + i_head * heads->depth;
        const size_t first = find_cached(heads, i_sequence, i_head);
        append(cache->keys + first, cache->values + first, cache->lengths[i_sequence], rows[1] - rows[0], heads->depth,
               heads->k + at, heads->v + at, heads->n_columns);
    }
}

static void cached_job(const void *user, size_t i_sequence, size_t i_head, pml_attention *job) {
    const cached_heads *heads = user;
    const pml_kv_cache *cache = heads->options->cache;
    const size_t *rows = &heads->options->row_offsets[i_sequence];
    const size_t at = rows[0] * heads->n_columns + i_head * heads->depth;
    const size_t first = find_cached(heads, i_sequence, i_head);
    *job = (pml_attention){
        .n_queries = rows[1] - rows[0],
        .n_keys = cache->lengths[i_sequence] + rows[1] - rows[0],
        .depth = heads->depth,
        .q = heads->q + at,
        .q_stride = heads->n_columns,
        .k_panels = cache->keys + first,
        .v = cache->values + first,
        .v_stride = heads->depth,
        .y = heads->y + at,
        .y_stride = heads->n_columns,
        .scale = heads->options->scale,
        .causal = true,
    };
}

static pml_status attend_cached(pml_context *context, const pml_tensor *q, const pml_tensor *k, const pml_tensor *v,
                                const pml_attention_options *options, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const pml_kv_cache *cache = options->cache;
    const size_t n_columns = pml_tensor_columns(q), depth = n_columns / options->n_heads;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, q->rank, y, error));
    for (size_t i = 0; i < options->n_sequences; i++) {
        const size_t n = options->row_offsets[i + 1] - options->row_offsets[i], length = cache->lengths[i];
        PML_OP_REQUIRE(length <= cache->capacity && n <= cache->capacity - length,
                       "attention: %zu tokens and %zu more do not fit a cache of %zu", length, n, cache->capacity);
        context->work.products += (uint64_t)2 * n * (length + n) * n_columns;
    }
    cached_heads heads = {.options = options,
                          .q = pml_tensor_f32_const(q),
                          .k = pml_tensor_f32_const(k),
                          .v = pml_tensor_f32_const(v),
                          .y = pml_tensor_f32(y),
                          .n_columns = n_columns,
                          .depth = depth};
    pml_context_ranges(context, options->n_sequences * options->n_heads, 1, PML_COST_VALUES(2 * pml_tensor_count(k)),
                       append_heads, &heads);
    PML_TRY(pml_split_attention(context, &(pml_heads){options->n_sequences, options->n_heads, cached_job, &heads},
                                cache->capacity, depth, error));

done:
    return status;
}

/* ---- without ---- */
typedef struct plain_heads {
    const pml_attention_options *options;
    sequences queries, keys;
    const float *q, *k, *v;
    float *y;
    size_t n_columns, depth, step;
    mask_view mask;
    const float *scores_in; /* NULL: none; out likewise */
    float *scores_out;
} plain_heads;

static void plain_job(const void *user, size_t i_sequence, size_t i_head, pml_attention *job) {
    const plain_heads *heads = user;
    const size_t *offsets = heads->options->row_offsets;
    const size_t q_row = offsets != NULL ? offsets[i_sequence] : first_row(&heads->queries, i_sequence);
    const size_t k_row = offsets != NULL ? offsets[i_sequence] : first_row(&heads->keys, i_sequence);
    const size_t n_ragged = offsets != NULL ? offsets[i_sequence + 1] - offsets[i_sequence] : 0;
    const size_t column = i_head * heads->depth;
    const size_t i_scores =
        (i_sequence * heads->options->n_heads + i_head) * heads->queries.n_tokens * heads->keys.n_tokens;
    *job = (pml_attention){
        .n_queries = offsets != NULL ? n_ragged : heads->queries.n_tokens,
        .n_keys = offsets != NULL ? n_ragged : heads->keys.n_tokens,
        .depth = heads->depth,
        .q = heads->q + q_row * heads->n_columns + column,
        .q_stride = heads->step,
        .k = heads->k + k_row * heads->n_columns + column,
        .k_stride = heads->step,
        .v = heads->v + k_row * heads->n_columns + column,
        .v_stride = heads->step,
        .y = heads->y + q_row * heads->n_columns + column,
        .y_stride = heads->step,
        .scale = heads->options->scale,
        .causal = heads->options->causal,
        .scores_in = heads->scores_in == NULL ? NULL : heads->scores_in + i_scores,
        .scores_out = heads->scores_out == NULL ? NULL : heads->scores_out + i_scores,
        .mask = heads->mask.data == NULL ? NULL : heads->mask.data + i_sequence * heads->mask.sequence_step,
        .mask_stride = heads->mask.row_step,
    };
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
    plain_heads heads = {.options = options,
                         .queries = describe(q, options->axis),
                         .keys = describe(k, options->axis),
                         .q = pml_tensor_f32_const(q),
                         .k = pml_tensor_f32_const(k),
                         .v = pml_tensor_f32_const(v),
                         .n_columns = pml_tensor_columns(q),
                         .depth = pml_tensor_columns(q) / options->n_heads};
    const size_t n_queries = heads.queries.n_tokens, n_keys = heads.keys.n_tokens;
    const size_t n_sequences = offsets == NULL ? heads.queries.n_sequences : options->n_sequences;
    heads.step = heads.queries.n_inner * heads.n_columns;
    PML_TRY(view_mask(options->mask, n_sequences, n_queries, n_keys, &heads.mask, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, q->rank, y, error));
    heads.y = pml_tensor_f32(y);
    pml_tensor scores_out = {0};
    if (options->scores != NULL) {
        PML_TRY(prepare_scores(context, options, n_sequences, n_queries, n_keys, &heads.scores_in, &scores_out, error));
        heads.scores_out = pml_tensor_f32(&scores_out);
    }
    for (size_t i = 0; i < n_sequences; i++) {
        const size_t n_ragged = offsets != NULL ? offsets[i + 1] - offsets[i] : 0;
        context->work.products +=
            (uint64_t)2 * heads.n_columns * (offsets != NULL ? n_ragged * n_ragged : n_queries * n_keys);
    }
    PML_TRY(pml_split_attention(context, &(pml_heads){n_sequences, options->n_heads, plain_job, &heads}, n_keys,
                                heads.depth, error));
    PML_TRY(pml_tape_record(
        context->tape, &op,
        &(pml_op_attributes){.real = (double)options->scale,
                             .integer = {(int64_t)options->n_heads, (int64_t)options->axis, options->causal}},
        (const pml_tensor *const[]){q, k, v, options->mask, heads.scores_in != NULL ? options->scores : NULL}, 5, y,
        error));
    if (options->scores != NULL) {
        *options->scores = scores_out;
    }

done:
    return status;
}
