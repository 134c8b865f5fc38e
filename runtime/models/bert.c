/* BERT: tokens without padding, embeddings and the encoder. */
#include "runtime/models/bert/bert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Tokens that go through the encoder at a time: enough for products to be bound by arithmetic, few enough for their
 * intermediate results to stay in the caches. */
#define BLOCK_ROWS 512u

/* The piece [PAD] of every vocabulary in use. Where it counts as a token, training leaves its row alone. */
#define PAD_TOKEN 0u

/* Storage of one forward: the pack, and the encoder's state h beside the greediest of its phases. */
static size_t forward_bytes(const bert *net, size_t n_sequences, size_t n_tokens) {
    if (n_tokens > SIZE_MAX / 64 / n_sequences) {
        return SIZE_MAX;
    }
    const size_t n_rows = n_sequences * n_tokens, hidden = PML_FLOATS(n_rows, net->d_model);
    const size_t pack = PML_SUM(PML_FLOATS(n_sequences), pml_context_bytes(n_sequences + 1, sizeof(size_t)),
                                PML_FLOATS(n_rows), PML_FLOATS(n_rows), PML_FLOATS(n_rows), PML_FLOATS(n_rows));
    /* h, q, k, v, attention, out, norm; or three look-ups, two sums, norm */
    const size_t attention = PML_SUM(PML_FLOATS(pml_attention_work(n_rows, net->d_model / net->n_heads)), hidden,
                                     hidden, hidden, hidden, hidden, hidden, hidden);
    const size_t ffn = PML_SUM(hidden, hidden, hidden, pml_op_feed_forward_bytes(n_rows, net->d_model, net->ffn_dim));
    const size_t head = PML_SUM(hidden, pml_bert_head_bytes(net, n_rows, n_sequences));
    size_t greatest = attention > ffn ? attention : ffn;
    greatest = head > greatest ? head : greatest;
    return PML_SUM(pack, greatest);
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    pml_status status = PML_OK;
    const bert *net = pml_model_data(model);
    const size_t n_tokens = pml_model_n_tokens(model);
    if (n_tokens > net->n_positions) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "input 'input_ids' has %zu tokens, the model has positions for %zu",
                         n_tokens, net->n_positions));
    }
    size_t block = BLOCK_ROWS / n_tokens;
    block = block < 1 ? 1 : block > batch ? batch : block;
    *result = (pml_model_plan){.block = block, .workspace_bytes = forward_bytes(net, block, n_tokens)};

done:
    return status;
}

/* ---- packing ---- */
/* Whether token `i_token` of sequence `i` counts. */
static bool is_real(const float *mask, size_t i, size_t n_tokens, size_t i_token) {
    return mask == NULL || mask[i * n_tokens + i_token] != 0;
}

/* The sequences from `first` on that can be computed together, and their rows. */
static pml_status measure(const pml_model_step *step, const float *mask, size_t n_tokens, size_t first, bert_pack *pack,
                          pml_error *error) {
    pml_status status = PML_OK;
    *pack = (bert_pack){.first = first, .n_hidden = is_real(mask, first, n_tokens, 0) ? 0 : 1};
    pack->n_rows = pack->n_hidden;
    for (size_t i = first; i < step->count; i++) {
        const bool has_first = is_real(mask, i, n_tokens, 0);
        if (i > first && (pack->n_hidden > 0 || !has_first)) {
            break;
        }
        size_t n_real = 0;
        for (size_t k = 0; k < n_tokens; k++) {
            n_real += is_real(mask, i, n_tokens, k);
        }
        if (n_real == 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "input 'attention_mask' leaves no token of sequence %zu",
                             step->first + i));
        }
        pack->n_rows += n_real;
        pack->count++;
    }

done:
    return status;
}

/* Fills the arrays of a measured pack. */
static pml_status gather(pml_model *model, const pml_model_step *step, const float *mask, bert_pack *pack,
                         pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const size_t n_tokens = pml_model_n_tokens(model);
    const pml_tensor *types = pml_model_step_input(model, step, "token_type_ids");
    const float *ids = pml_tensor_f32_const(pml_model_step_input(model, step, "input_ids"));
    float *offsets;
    /* Scratch counts floats; an offset takes the room of two. */
    PML_TRY(pml_context_scratch(context, (pack->count + 1) * (sizeof(size_t) / sizeof(float)), &offsets, error));
    pack->row_offsets = (size_t *)(void *)offsets;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->n_rows, 1, &pack->ids, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->n_rows, 1, &pack->types, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->n_rows, 1, &pack->places, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->n_rows, 1, &pack->slots, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->count, 1, &pack->first_rows, error));
    size_t row = 0;
    for (size_t i = 0; i < pack->count; i++) {
        const size_t i_sequence = pack->first + i;
        pack->row_offsets[i] = row;
        pml_tensor_f32(&pack->first_rows)[i] = (float)row;
        for (size_t k = 0; k < n_tokens; k++) {
            if (!is_real(mask, i_sequence, n_tokens, k) && !(k == 0 && pack->n_hidden > 0)) {
                continue;
            }
            const size_t at = i_sequence * n_tokens + k;
            pml_tensor_f32(&pack->ids)[row] = ids[at];
            pml_tensor_f32(&pack->types)[row] = types == NULL ? 0 : pml_tensor_f32_const(types)[at];
            pml_tensor_f32(&pack->places)[row] = (float)k;
            pml_tensor_f32(&pack->slots)[row] = (float)(i * n_tokens + k);
            row++;
        }
    }
    pack->row_offsets[pack->count] = row;

done:
    return status;
}

/* ---- the encoder ---- */
/* h [R, D] = norm(token + type + position). The workspace from `base` on holds h alone afterwards. */
static pml_status embed(pml_context *context, const bert *net, const bert_pack *pack, size_t base, pml_tensor *h,
                        pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor tokens, types, positions, typed, placed;
    PML_TRY(pml_op_lookup_padded(context, &net->tokens, net->is_tied ? PML_LOOKUP_COLUMNS : PML_LOOKUP_ROWS, &pack->ids,
                                 PAD_TOKEN, &tokens, error));
    PML_TRY(pml_op_lookup(context, &net->types, PML_LOOKUP_ROWS, &pack->types, &types, error));
    PML_TRY(pml_op_add(context, &tokens, &types, &typed, error));
    PML_TRY(pml_op_lookup(context, &net->positions, PML_LOOKUP_ROWS, &pack->places, &positions, error));
    PML_TRY(pml_op_add(context, &typed, &positions, &placed, error));
    PML_TRY(pml_op_norm(context, &placed, &net->embedding_norm, h, error));
    PML_TRY(pml_op_dropout(context, h, net->hidden_dropout, h, error));
    pml_context_release(context, base, h);

done:
    return status;
}

static pml_status attend(pml_context *context, const bert *net, const bert_pack *pack, const bert_layer *layer,
                         size_t base, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    const size_t depth = net->d_model / net->n_heads, n_seen = pack->n_rows - pack->n_hidden;
    const pml_tensor seen = pml_model_rows(h, pack->n_hidden, n_seen);
    const pml_layer_dropout dropout = {.result = net->hidden_dropout};
    pml_attention_options options = {
        .n_heads = net->n_heads, .scale = (float)(1.0 / sqrt((double)depth)), .dropout = net->attention_dropout};
    if (pack->n_hidden == 0) {
        options.row_offsets = pack->row_offsets;
        options.n_sequences = pack->count;
    }
    pml_tensor q, k, v, y, result;
    /* Where one differs from the others in type it is v: those alike share their bytes. */
    const pml_linear *const linears[] = {&layer->v, &layer->k, &layer->q};
    pml_tensor *const projected[] = {&v, &k, &q};
    PML_TRY(pml_linears_run(context, linears, pack->n_hidden == 0 ? 3 : 2, &seen, projected, error));
    if (pack->n_hidden > 0) {
        PML_TRY(pml_linear_run(context, &layer->q, h, PML_ACTIVATION_IDENTITY, NULL, &q, error));
    }
    PML_TRY(pml_op_attention(context, &q, &k, &v, &options, &y, error));
    PML_TRY(pml_linear_drop_run(context, &layer->out, &y, &dropout, h, &result, error));
    PML_TRY(pml_op_norm(context, &result, &layer->norm1, h, error));
    pml_context_release(context, base, h);

done:
    return status;
}

static pml_status feed_forward(pml_context *context, const bert *net, const bert_layer *layer, size_t base,
                               pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor result;
    const pml_layer_dropout dropout = {.result = net->hidden_dropout};
    PML_TRY(
        pml_feed_forward_drop_run(context, &layer->up, &layer->down, h, net->activation, &dropout, h, &result, error));
    PML_TRY(pml_op_norm(context, &result, &layer->norm2, h, error));
    pml_context_release(context, base, h);

done:
    return status;
}

static pml_status run_pack(pml_model *model, const pml_model_step *step, const float *mask, bert_pack *pack,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const bert *net = pml_model_data(model);
    PML_TRY(gather(model, step, mask, pack, error));
    const size_t base = pml_context_mark(context), first = step->first + pack->first;
    pml_tensor h;
    PML_TRY(embed(context, net, pack, base, &h, error));
    pml_context_show(context, "embeddings", first, &h);
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(attend(context, net, pack, &net->layers[i], base, &h, error));
        PML_TRY(feed_forward(context, net, &net->layers[i], base, &h, error));
        if (context->probe != NULL) {
            char name[32];
            snprintf(name, sizeof name, "layer%zu", i);
            pml_context_show(context, name, first, &h);
        }
    }
    PML_TRY(pml_bert_run_head(model, step, pack, &h, error));

done:
    return status;
}

static pml_status forward(pml_model *model, const pml_model_step *step, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const pml_tensor *attention_mask = pml_model_step_input(model, step, "attention_mask");
    const float *mask = attention_mask == NULL ? NULL : pml_tensor_f32_const(attention_mask);
    for (size_t first = 0; first < step->count;) {
        bert_pack pack;
        const size_t mark = pml_context_mark(context);
        PML_TRY(measure(step, mask, pml_model_n_tokens(model), first, &pack, error));
        PML_TRY(run_pack(model, step, mask, &pack, error));
        pml_context_release(context, mark, NULL);
        first += pack.count;
    }

done:
    return status;
}

extern const pml_model_family pml_model_bert;
const pml_model_family pml_model_bert = {
    .data_bytes = sizeof(bert),
    .load = pml_bert_load,
    .plan = plan,
    .forward = forward,
    .takes_adapters = true,
};
