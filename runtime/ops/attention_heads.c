#include "runtime/ops/attention_heads.h"

#include "runtime/ops/op.h"

static pml_attention_sequences describe(const pml_tensor *x, unsigned axis) {
    pml_attention_sequences s = {.n_sequences = 1, .n_inner = 1, .n_tokens = x->shape[axis]};
    for (unsigned i = 0; i + 1 < x->rank; i++) {
        s.n_sequences *= i == axis ? 1 : x->shape[i];
        s.n_inner *= i > axis ? x->shape[i] : 1;
    }
    return s;
}

static size_t first_row(const pml_attention_sequences *s, size_t i_sequence) {
    return i_sequence / s->n_inner * s->n_inner * s->n_tokens + i_sequence % s->n_inner;
}

static pml_status view_mask(const pml_tensor *mask, pml_attention_heads *heads, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_queries = heads->queries.n_tokens, n_keys = heads->keys.n_tokens;
    PML_OP_REQUIRE(pml_op_is(mask, PML_DTYPE_F32) && (mask->rank == 2 || mask->rank == 3) &&
                       pml_tensor_columns(mask) == n_keys &&
                       (mask->rank == 2 || mask->shape[0] == heads->n_sequences) &&
                       (mask->shape[mask->rank - 2] == 1 || mask->shape[mask->rank - 2] == n_queries),
                   "attention: the mask fits neither [queries, keys] nor [sequences, queries, keys]");
    const size_t rows = mask->shape[mask->rank - 2];
    heads->mask = pml_tensor_f32_const(mask);
    heads->mask_row_step = rows == 1 ? 0 : n_keys;
    heads->mask_sequence_step = mask->rank == 3 ? rows * n_keys : 0;

done:
    return status;
}

pml_status pml_attention_heads_of(const pml_tensor *q, const pml_tensor *k, const pml_tensor *v, const pml_tensor *mask,
                                  const pml_attention_options *options, pml_attention_heads *heads, pml_error *error) {
    *heads = (pml_attention_heads){.options = options,
                                   .queries = describe(q, options->axis),
                                   .keys = describe(k, options->axis),
                                   .q = pml_tensor_f32_const(q),
                                   .k = pml_tensor_f32_const(k),
                                   .v = pml_tensor_f32_const(v),
                                   .n_columns = pml_tensor_columns(q),
                                   .depth = pml_tensor_columns(q) / options->n_heads};
    heads->n_sequences = options->row_offsets == NULL ? heads->queries.n_sequences : options->n_sequences;
    heads->most_queries = options->row_offsets == NULL ? heads->queries.n_tokens : 0;
    heads->most_keys = options->row_offsets == NULL ? heads->keys.n_tokens : 0;
    for (size_t i = 0; options->row_offsets != NULL && i < options->n_sequences; i++) {
        const size_t n = options->row_offsets[i + 1] - options->row_offsets[i];
        heads->most_queries = n > heads->most_queries ? n : heads->most_queries;
        heads->most_keys = heads->most_queries;
    }
    heads->step = heads->queries.n_inner * heads->n_columns;
    return mask == NULL || mask->dtype == PML_DTYPE_NONE ? PML_OK : view_mask(mask, heads, error);
}

size_t pml_attention_head_scores(const pml_attention_heads *heads, size_t i_sequence, size_t i_head) {
    return (i_sequence * heads->options->n_heads + i_head) * heads->queries.n_tokens * heads->keys.n_tokens;
}

static uint64_t dropout_stride(const pml_attention_heads *heads) {
    return ((uint64_t)heads->most_keys + PML_DROPOUT_GROUP - 1) / PML_DROPOUT_GROUP * PML_DROPOUT_GROUP;
}

uint64_t pml_attention_dropout_elements(const pml_attention_heads *heads) {
    return heads->n_sequences * heads->options->n_heads * heads->most_queries * dropout_stride(heads);
}

void pml_attention_head_job(const void *user, size_t i_sequence, size_t i_head, pml_attention *job) {
    const pml_attention_heads *heads = user;
    const size_t *offsets = heads->options->row_offsets;
    const size_t q_row = offsets != NULL ? offsets[i_sequence] : first_row(&heads->queries, i_sequence);
    const size_t k_row = offsets != NULL ? offsets[i_sequence] : first_row(&heads->keys, i_sequence);
    const size_t n_ragged = offsets != NULL ? offsets[i_sequence + 1] - offsets[i_sequence] : 0;
    const size_t column = i_head * heads->depth, i_scores = pml_attention_head_scores(heads, i_sequence, i_head);
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
        .y = heads->y == NULL ? NULL : heads->y + q_row * heads->n_columns + column,
        .y_stride = heads->step,
        .scale = heads->options->scale,
        .causal = heads->options->causal,
        .scores_in = heads->scores_in == NULL ? NULL : heads->scores_in + i_scores,
        .scores_out = heads->scores_out == NULL ? NULL : heads->scores_out + i_scores,
        .mask = heads->mask == NULL ? NULL : heads->mask + i_sequence * heads->mask_sequence_step,
        .mask_stride = heads->mask_row_step,
        .dropout = heads->dropout,
        .dropout_stride = dropout_stride(heads),
    };
    job->dropout_first =
        (i_sequence * heads->options->n_heads + i_head) * heads->most_queries * job->dropout_stride;
}

size_t pml_attention_scores_at(const pml_tensor *y) {
    return (pml_tensor_count(y) + 15) / 16 * 16;
}

uint64_t pml_attention_products(const pml_attention_heads *heads) {
    uint64_t sum = 0;
    for (size_t i = 0; i < heads->n_sequences; i++) {
        pml_attention job;
        pml_attention_head_job(heads, i, 0, &job);
        sum += (uint64_t)2 * heads->n_columns * job.n_queries * job.n_keys;
    }
    return sum;
}
