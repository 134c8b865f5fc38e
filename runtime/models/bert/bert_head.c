/* BERT: pooler, sentence embeddings, and what the heads make of the encoder's output. */
#include <string.h>

#include "runtime/models/bert/bert.h"
#include "runtime/ops/score.h"

/* Scores of the whole vocabulary are computed for as many rows at a time as this many floats hold. */
#define CHUNK_FLOATS ((size_t)1 << 22)

/* Least length of a sentence embedding that is divided by its length. */
#define LEAST_LENGTH 1e-12

static size_t chunk_rows(const bert *net, size_t n_rows) {
    size_t n = net->n_per_token == 0 ? n_rows : CHUNK_FLOATS / net->n_per_token;
    n = n < 16 ? 16 : n;
    return n < n_rows ? n : n_rows;
}

size_t pml_bert_head_bytes(const bert *net, size_t n_rows, size_t n_sequences) {
    const size_t n = chunk_rows(net, n_rows), each = PML_FLOATS(n_sequences, net->d_model);
    const size_t transform = PML_FLOATS(n, net->d_model); /* before and after its norm */
    size_t bytes = PML_SUM(transform, transform, PML_FLOATS(n, net->n_per_token), pml_context_bytes(2, 64));
    bytes = PML_SUM(bytes, each, each, each, each, each); /* first tokens and pooler; embeddings; scores */
    if (net->head == BERT_HEAD_SEQUENCE) {
        bytes = PML_SUM(bytes, PML_FLOATS(n_sequences, pml_tensor_columns(&net->classifier.weight)));
    }
    return bytes;
}

/* ---- from packed rows to outputs ---- */
/* values [count, n], one row per sequence. */
static pml_status store_sequences(pml_model *model, const pml_model_step *step, const bert_pack *pack, const char *name,
                                  const pml_tensor *values, pml_error *error) {
    const pml_tensor *output = pml_model_step_output(model, step, name);
    if (output == NULL) {
        return PML_OK;
    }
    const pml_tensor to = pml_model_rows(output, pack->first, pack->count);
    return pml_op_store(pml_model_context(model), values, &to, error);
}

/* Columns i_column .. i_column+n-1 of `values`, which are the rows first_row .. of the pack, become tokens of an output
 * [B, T, n] or, n being 1, [B, T]. */
static pml_status store_rows(pml_model *model, const pml_model_step *step, const bert_pack *pack, const char *name,
                             const pml_tensor *values, size_t first_row, size_t i_column, size_t n, pml_error *error) {
    const pml_tensor *output = pml_model_step_output(model, step, name);
    const size_t n_skipped = first_row < pack->n_hidden ? pack->n_hidden - first_row : 0;
    const size_t n_rows = pml_tensor_rows(values);
    if (output == NULL || n_rows <= n_skipped ||
        (pack->n_hidden == 0 && pml_tensor_columns(values) == n &&
         pml_model_step_hand(model, step, name, values))) { /* no padding */
        return PML_OK;
    }
    pml_tensor to = pml_model_rows(output, pack->first, pack->count);
    to.rank = 2;
    to.shape[0] = pack->count * pml_model_n_tokens(model);
    to.shape[1] = n;
    const pml_tensor seen = pml_model_rows(values, n_skipped, n_rows - n_skipped);
    const pml_tensor slots = pml_model_rows(&pack->slots, first_row + n_skipped, n_rows - n_skipped);
    return pml_op_scatter(pml_model_context(model), &seen, &slots, i_column, &to, error);
}

/* Padding is never computed: it is 0. */
static void clear_rows(const pml_model *model, const pml_model_step *step, const bert_pack *pack, const char *name) {
    const pml_tensor *output = pml_model_step_output(model, step, name);
    const size_t n_tokens = pml_model_n_tokens(model);
    if (output != NULL && pack->n_rows - pack->n_hidden < pack->count * n_tokens) {
        const size_t n = pml_tensor_count(output) / output->shape[0];
        memset(pml_tensor_f32(output) + pack->first * n, 0, pack->count * n * sizeof(float));
    }
}

/* ---- what is made of whole sequences ---- */
static pml_status embed_sentences(pml_model *model, const pml_model_step *step, const bert_pack *pack,
                                  const pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const bert *net = pml_model_data(model);
    pml_tensor pooled;
    if (net->pooling == BERT_POOLING_CLS) {
        PML_TRY(pml_op_lookup(context, h, PML_LOOKUP_ROWS, &pack->first_rows, &pooled, error));
    } else {
        const size_t all[] = {0, pack->n_rows - pack->n_hidden};
        const pml_tensor seen = pml_model_rows(h, pack->n_hidden, all[1]);
        PML_TRY(pml_op_pool_ragged(context, &seen, pack->n_hidden > 0 ? all : pack->row_offsets, pack->count,
                                   net->pooling == BERT_POOLING_MEAN ? PML_POOL_MEAN : PML_POOL_MAX, &pooled, error));
    }
    if (net->normalize) {
        pml_tensor normalized;
        PML_TRY(pml_op_normalize(context, &pooled, LEAST_LENGTH, &normalized, error));
        pooled = normalized;
    }
    PML_TRY(store_sequences(model, step, pack, "sentence_embedding", &pooled, error));

done:
    return status;
}

static pml_status run_pooler(pml_model *model, const pml_model_step *step, const bert_pack *pack, const pml_tensor *h,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const bert *net = pml_model_data(model);
    pml_tensor first, pooled, scores;
    PML_TRY(pml_op_lookup(context, h, PML_LOOKUP_ROWS, &pack->first_rows, &first, error));
    PML_TRY(pml_linear_run(context, &net->pooler, &first, PML_ACTIVATION_TANH, NULL, &pooled, error));
    PML_TRY(store_sequences(model, step, pack, "pooler_output", &pooled, error));
    if (net->head == BERT_HEAD_PRETRAINING) {
        PML_TRY(
            pml_linear_run(context, &net->seq_relationship, &pooled, PML_ACTIVATION_IDENTITY, NULL, &scores, error));
        PML_TRY(store_sequences(model, step, pack, "seq_relationship_logits", &scores, error));
    } else if (net->head == BERT_HEAD_SEQUENCE) {
        PML_TRY(pml_op_dropout(context, &pooled, net->head_dropout, &pooled, error));
        PML_TRY(pml_linear_run(context, &net->classifier, &pooled, PML_ACTIVATION_IDENTITY, NULL, &scores, error));
        PML_TRY(store_sequences(model, step, pack, "logits", &scores, error));
    }

done:
    return status;
}

/* ---- what is made of every token ---- */
static pml_status transform(pml_context *context, const bert *net, const pml_tensor *rows, pml_tensor *transformed,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor x;
    PML_TRY(pml_linear_run(context, &net->transform, rows, net->activation, NULL, &x, error));
    PML_TRY(pml_op_norm(context, &x, &net->transform_norm, transformed, error));

done:
    return status;
}

/* Scores [rows, n_per_token] of some rows of the encoder's output. */
static pml_status score_rows(pml_context *context, const bert *net, const pml_tensor *rows, pml_tensor *scores,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor x, transformed;
    if (net->head == BERT_HEAD_TOKEN) {
        PML_TRY(pml_op_dropout(context, rows, net->head_dropout, &x, error));
        PML_TRY(pml_linear_run(context, &net->classifier, &x, PML_ACTIVATION_IDENTITY, NULL, scores, error));
    } else if (net->head == BERT_HEAD_QUESTION) {
        PML_TRY(pml_linear_run(context, &net->span, rows, PML_ACTIVATION_IDENTITY, NULL, scores, error));
    } else {
        PML_TRY(transform(context, net, rows, &transformed, error));
        PML_TRY(pml_linear_run(context, &net->decoder, &transformed, PML_ACTIVATION_IDENTITY, NULL, scores, error));
    }

done:
    return status;
}

/* Whether a masked language model's scores go to who takes them; a tape has one op for all of them, or none. */
static bool is_taken(const pml_context *context, const bert *net, const pml_model_step *step, const bert_pack *pack) {
    return context->taker != NULL && net->head == BERT_HEAD_MASKED_LM && net->decoder.adapter == NULL &&
           (context->tape == NULL || pack->count == step->batch);
}

static pml_status give_scores(pml_model *model, const pml_model_step *step, const bert_pack *pack, const pml_tensor *h,
                              pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const bert *net = pml_model_data(model);
    const size_t mark = pml_context_mark(context), n_seen = pack->n_rows - pack->n_hidden;
    const size_t first_slot = (step->first + pack->first) * pml_model_n_tokens(model);
    const pml_tensor seen = pml_model_rows(h, pack->n_hidden, n_seen);
    const pml_tensor seen_slots = pml_model_rows(&pack->slots, pack->n_hidden, n_seen);
    pml_tensor rows, slots, transformed, loss;
    PML_TRY(pml_score_pick(context, &seen, &seen_slots, first_slot, &rows, &slots, error));
    PML_TRY(transform(context, net, &rows, &transformed, error));
    PML_TRY(pml_op_score(context, &transformed, &net->decoder.weight, net->decoder.has_bias ? &net->decoder.bias : NULL,
                         &slots, first_slot, &loss, error));
    pml_model_step_taken(model, "logits", &loss);
    pml_context_release(context, mark, NULL);

done:
    return status;
}

static pml_status run_tokens(pml_model *model, const pml_model_step *step, const bert_pack *pack, const pml_tensor *h,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const bert *net = pml_model_data(model);
    static const char *const names[] = {"logits", "prediction_logits", "start_logits", "end_logits"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        clear_rows(model, step, pack, names[i]);
    }
    const size_t mark = pml_context_mark(context); /* all rows at once where they are recorded: one output, one op */
    const size_t n_chunk = context->tape != NULL ? pack->n_rows : chunk_rows(net, pack->n_rows);
    for (size_t row = 0; row < pack->n_rows; row += n_chunk) {
        const size_t n = pack->n_rows - row < n_chunk ? pack->n_rows - row : n_chunk;
        const pml_tensor rows = pml_model_rows(h, row, n);
        pml_tensor scores;
        PML_TRY(score_rows(context, net, &rows, &scores, error));
        if (net->head == BERT_HEAD_QUESTION) {
            PML_TRY(store_rows(model, step, pack, "start_logits", &scores, row, 0, 1, error));
            PML_TRY(store_rows(model, step, pack, "end_logits", &scores, row, 1, 1, error));
        } else {
            PML_TRY(store_rows(model, step, pack, net->head == BERT_HEAD_PRETRAINING ? "prediction_logits" : "logits",
                               &scores, row, 0, net->n_per_token, error));
        }
        pml_context_release(context, mark, NULL);
    }

done:
    return status;
}

pml_status pml_bert_run_head(pml_model *model, const pml_model_step *step, const bert_pack *pack, const pml_tensor *h,
                             pml_error *error) {
    pml_status status = PML_OK;
    const bert *net = pml_model_data(model);
    clear_rows(model, step, pack, "last_hidden_state");
    PML_TRY(store_rows(model, step, pack, "last_hidden_state", h, 0, 0, net->d_model, error));
    if (net->pooling != BERT_POOLING_NONE) {
        PML_TRY(embed_sentences(model, step, pack, h, error));
    }
    if (net->has_pooler) {
        PML_TRY(run_pooler(model, step, pack, h, error));
    }
    if (is_taken(pml_model_context(model), net, step, pack)) {
        PML_TRY(give_scores(model, step, pack, h, error));
    } else if (net->n_per_token > 0) {
        PML_TRY(run_tokens(model, step, pack, h, error));
    }

done:
    return status;
}
