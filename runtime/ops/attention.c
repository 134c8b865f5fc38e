/* Scaled dot-product attention over any axis, head by head, through the attention kernel. */
#include "runtime/ops/attention_heads.h"
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/split.h"

static const pml_op op = {.name = "attention", .backward = pml_attention_backward};

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
/* y and the scores of this layer. With a tape both lie in one result, so that their gradients do, too. */
static pml_status make_results(pml_context *context, const pml_tensor *q, const pml_attention_options *options,
                               const pml_attention_heads *heads, pml_tensor *whole, pml_tensor *y, pml_tensor *scores,
                               pml_error *error) {
    pml_status status = PML_OK;
    const size_t shape[] = {heads->n_sequences, options->n_heads, heads->queries.n_tokens, heads->keys.n_tokens};
    if (options->scores == NULL || context->tape == NULL) {
        PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, q->rank, y, error));
        *whole = *y;
        if (options->scores != NULL) {
            PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 4, scores, error));
        }
    } else {
        *y = *scores = (pml_tensor){.dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_ROW, .rank = q->rank};
        memcpy(y->shape, q->shape, sizeof y->shape);
        scores->rank = 4;
        memcpy(scores->shape, shape, sizeof shape);
        const size_t n_y = pml_attention_scores_at(y), count = n_y + pml_tensor_count(scores);
        PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &count, 1, whole, error));
        y->buffer = scores->buffer = whole->buffer;
        y->offset_bytes = whole->offset_bytes;
        scores->offset_bytes = whole->offset_bytes + n_y * sizeof(float);
    }
    if (options->scores != NULL && options->scores->dtype != PML_DTYPE_NONE) {
        PML_OP_REQUIRE(pml_op_is(options->scores, PML_DTYPE_F32) && pml_op_same_shape(options->scores, scores),
                       "attention: the handed scores have another shape than this layer's");
    }

done:
    return status;
}

/* What the backward pass needs to know, in storage of the step. */
static pml_status keep_record(pml_context *context, const pml_attention_options *options,
                              const pml_attention_heads *heads, const pml_attention_record **kept, pml_error *error) {
    pml_status status = PML_OK;
    float *storage;
    *kept = NULL;
    if (context->tape == NULL) {
        goto done;
    }
    PML_TRY(pml_context_scratch(context, sizeof(pml_attention_record) / sizeof *storage + 1, &storage, error));
    pml_attention_record *record = (pml_attention_record *)(void *)storage;
    *record = (pml_attention_record){.options = *options, .has_scores = options->scores != NULL};
    record->options.mask = NULL;
    record->options.scores = NULL;
    if (options->row_offsets != NULL) {
        PML_TRY(pml_context_keep_sizes(context, options->row_offsets, options->n_sequences + 1,
                                       &record->options.row_offsets, error));
    }
    if (heads->dropout != NULL) {
        record->drops = true;
        record->dropout = *heads->dropout;
    }
    *kept = record;

done:
    return status;
}

/* What the dropout of this op drops, if there is one. */
static pml_status choose_dropout(pml_context *context, const pml_attention_options *options, pml_attention_heads *heads,
                                 pml_dropout_mask *dropout, pml_error *error) {
    pml_status status = PML_OK;
    pml_training *training = context->training;
    PML_OP_REQUIRE(options->dropout >= 0 && options->dropout <= 1, "attention: a dropout is from 0 to 1");
    if (training != NULL && options->dropout > 0) {
        PML_OP_REQUIRE(pml_attention_dropout_elements(heads) <= PML_DROPOUT_MAX,
                       "attention: too many weights for a dropout");
        *dropout = pml_dropout_mask_of(training->seed, training->step, training->n_dropouts++, options->dropout);
        heads->dropout = dropout;
    }

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
    pml_attention_heads heads;
    pml_dropout_mask dropout;
    const pml_attention_record *record;
    pml_tensor whole, scores = {0};
    const bool has_scores_in = options->scores != NULL && options->scores->dtype != PML_DTYPE_NONE;
    PML_TRY(pml_attention_heads_of(q, k, v, options->mask, options, &heads, error));
    PML_TRY(choose_dropout(context, options, &heads, &dropout, error));
    PML_TRY(keep_record(context, options, &heads, &record, error));
    PML_TRY(make_results(context, q, options, &heads, &whole, y, &scores, error));
    heads.y = pml_tensor_f32(y);
    heads.scores_in = has_scores_in ? pml_tensor_f32_const(options->scores) : NULL;
    heads.scores_out = options->scores != NULL ? pml_tensor_f32(&scores) : NULL;
    context->work.products += pml_attention_products(&heads);
    PML_TRY(pml_split_attention(context,
                                &(pml_heads){heads.n_sequences, options->n_heads, pml_attention_head_job, &heads},
                                heads.most_keys, heads.depth, error));
    PML_TRY(pml_tape_record(
        context->tape, &op,
        &(pml_op_attributes){.real = (double)options->scale,
                             .integer = {(int64_t)options->n_heads, (int64_t)options->axis, options->causal},
                             .data = record},
        (const pml_tensor *const[]){q, k, v, options->mask, has_scores_in ? options->scores : NULL}, 5, &whole, error));
    if (options->scores != NULL) {
        *options->scores = scores;
    }

done:
    return status;
}
