/* GPT-2: embeddings and the decoder. */
#include <stdio.h>

#include "runtime/models/gpt2/gpt2.h"

size_t pml_gpt2_decode_bytes(const gpt2 *net, size_t n_rows, size_t n_tokens) {
    const size_t hidden = PML_FLOATS(n_rows, net->d_model);
    /* h, norm, q, k, v, attention, out */
    const size_t attention = PML_SUM(PML_FLOATS(pml_attention_work(n_tokens, net->d_model / net->n_heads)), hidden,
                                     hidden, hidden, hidden, hidden, hidden, hidden);
    const size_t ffn = PML_SUM(hidden, hidden, hidden, pml_op_feed_forward_bytes(n_rows, net->d_model, net->ffn_dim));
    return attention > ffn ? attention : ffn;
}

/* h [R, D] = token + position. The workspace from `base` on holds h alone afterwards, here and below. */
static pml_status embed(pml_context *context, const gpt2 *net, const gpt2_pack *pack, size_t base, pml_tensor *h,
                        pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor tokens, positions;
    PML_TRY(pml_op_lookup(context, &net->tokens, net->is_tied ? PML_LOOKUP_COLUMNS : PML_LOOKUP_ROWS, &pack->ids,
                          &tokens, error));
    PML_TRY(pml_op_lookup(context, &net->positions, PML_LOOKUP_ROWS, &pack->places, &positions, error));
    PML_TRY(pml_op_add(context, &tokens, &positions, h, error));
    PML_TRY(pml_op_dropout(context, h, net->embedding_dropout, h, error));
    pml_context_release(context, base, h);

done:
    return status;
}

static pml_status attend(pml_context *context, const gpt2 *net, const gpt2_pack *pack, size_t i_layer, size_t base,
                         pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    const gpt2_layer *layer = &net->layers[i_layer];
    const pml_attention_options options = {.n_heads = net->n_heads,
                                           .scale = layer->scale,
                                           .causal = true,
                                           .row_offsets = pack->row_offsets,
                                           .n_sequences = pack->n_sequences,
                                           .dropout = net->attention_dropout,
                                           .cache = pack->caches != NULL ? &pack->caches[i_layer] : NULL};
    const pml_layer_dropout dropout = {.result = net->hidden_dropout};
    pml_tensor x, q, k, v, y, result;
    PML_TRY(pml_op_norm(context, h, &layer->norm1, &x, error));
    PML_TRY(pml_linears_run(context, (const pml_linear *const[]){&layer->q, &layer->k, &layer->v}, 3, &x,
                            (pml_tensor *const[]){&q, &k, &v}, error));
    PML_TRY(pml_op_attention(context, &q, &k, &v, &options, &y, error));
    PML_TRY(pml_linear_drop_run(context, &layer->out, &y, &dropout, h, &result, error));
    *h = result;
    pml_context_release(context, base, h);

done:
    return status;
}

static pml_status feed_forward(pml_context *context, const gpt2 *net, const gpt2_layer *layer, size_t base,
                               pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor x, result;
    PML_TRY(pml_op_norm(context, h, &layer->norm2, &x, error));
    const pml_layer_dropout dropout = {.result = net->hidden_dropout};
    PML_TRY(
        pml_feed_forward_drop_run(context, &layer->up, &layer->down, &x, net->activation, &dropout, h, &result, error));
    *h = result;
    pml_context_release(context, base, h);

done:
    return status;
}

pml_status pml_gpt2_decode(pml_model *model, const gpt2_pack *pack, size_t first_sample, pml_tensor *y,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const gpt2 *net = pml_model_data(model);
    const size_t base = pml_context_mark(context);
    pml_tensor h;
    PML_TRY(embed(context, net, pack, base, &h, error));
    pml_context_show(context, "embeddings", first_sample, &h);
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(attend(context, net, pack, i, base, &h, error));
        PML_TRY(feed_forward(context, net, &net->layers[i], base, &h, error));
        if (context->probe != NULL) {
            char name[32];
            snprintf(name, sizeof name, "layer%zu", i);
            pml_context_show(context, name, first_sample, &h);
        }
    }
    PML_TRY(pml_op_norm(context, &h, &net->norm, y, error));
    pml_context_release(context, base, y);
    pml_context_show(context, "final", first_sample, y);

done:
    return status;
}
