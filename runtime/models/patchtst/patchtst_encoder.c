/* PatchTST: from a window to the encoder's output. */
#include <stdio.h>
#include <string.h>

#include "runtime/models/patchtst/patchtst.h"

size_t pml_patchtst_encoder_bytes(const patchtst *net, size_t n_samples) {
    const size_t n_series = net->n_channels, depth = net->d_model / net->n_heads;
    size_t hidden = PML_FLOATS(n_samples, n_series, net->n_tokens, net->d_model);
    size_t patches = PML_FLOATS(n_samples, n_series, net->n_patches, net->patch_length);
    size_t window = PML_FLOATS(n_samples, net->context_length + net->n_padding, n_series);
    size_t embed = PML_SUM(window, patches, hidden, PML_FLOATS(n_samples, n_series, net->n_patches, net->d_model));
    if (net->scaling_affine || net->n_padding > 0 || net->starts_aligned) {
        embed = PML_SUM(embed, window, window, window); /* shifted; extended; cut */
    }
    embed = PML_SUM(embed, net->do_mask_input ? patches : 0);
    embed = PML_SUM(embed, net->patches_first ? PML_SUM(patches, window) : 0);
    size_t work = pml_attention_work(net->n_tokens, depth), work_channels = pml_attention_work(n_series, depth);
    size_t attention = PML_FLOATS(work > work_channels || !net->channel_attention ? work : work_channels);
    /* h; norm, q, k, v, attention, out */
    attention = PML_SUM(attention, hidden, hidden, hidden, hidden, hidden, hidden, hidden);
    size_t ffn = PML_SUM(hidden, hidden, hidden,
                         pml_op_feed_forward_bytes(n_samples * n_series * net->n_tokens, net->d_model, net->ffn_dim));
    size_t greatest = embed > attention ? embed : attention;
    greatest = ffn > greatest ? ffn : greatest;
    if (net->residual_attention) { /* scores handed on, and those being computed */
        size_t scores = PML_FLOATS(n_samples, n_series, net->n_heads, net->n_tokens, net->n_tokens);
        greatest = PML_SUM(greatest, scores, scores);
    }
    return greatest;
}

/* patches [b, C, N, P] of the scaled window. */
static pml_status cut_patches(pml_context *context, const patchtst *net, const patchtst_pass *pass, pml_tensor *patches,
                              pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_used = (net->n_patches - 1) * net->patch_stride + net->patch_length;
    pml_tensor window, next;
    PML_TRY(pml_op_instance_normalize(context, &pass->x, &pass->loc, &pass->scale, &window, error));
    if (net->scaling_affine) {
        PML_TRY(pml_op_scale_columns(context, &window, &pass->network->scaling_weight, &pass->network->scaling_bias,
                                     &next, error));
        window = next;
    }
    if (net->n_padding > 0) {
        PML_TRY(pml_op_extend(context, &window, net->n_padding, &next, error));
        window = next;
    }
    if (net->starts_aligned && n_used < window.shape[1]) {
        PML_TRY(pml_op_slice(context, &window, 0, n_used, &next, error));
        window = next;
    }
    PML_TRY(pml_op_patchify(context, &window, net->patch_length, net->patch_stride, patches, error));

done:
    return status;
}

static pml_status store_patches(pml_model *model, const pml_model_step *step, const pml_tensor *patches,
                                pml_error *error) {
    pml_status status = PML_OK;
    const patchtst *net = pml_model_data(model);
    pml_tensor stored = *patches;
    if (net->patches_first && pml_model_step_output(model, step, "patch_input") != NULL) {
        PML_TRY(pml_op_swap_axes(pml_model_context(model), patches, 1, &stored, error));
    }
    PML_TRY(pml_model_step_store(model, step, "patch_input", &stored, error));

done:
    return status;
}

/* Hides what the caller's mask says, or, in pretraining, what is drawn. */
static pml_status hide(pml_model *model, const pml_model_step *step, pml_tensor *patches, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    const pml_tensor *given = pml_model_step_input(model, step, "mask");
    const pml_tensor *output = pml_model_step_output(model, step, "mask");
    pml_tensor mask, turned, masked;
    if (given != NULL && net->patches_first) {
        PML_TRY(pml_op_transpose(context, given, &mask, error));
    } else if (given != NULL) {
        mask = *given;
    } else if (net->mask.dtype != PML_DTYPE_NONE) {
        mask = pml_model_rows(&net->mask, step->first, step->count);
    } else {
        if (output != NULL) {
            memset(pml_tensor_f32(output), 0, pml_tensor_count(output) * sizeof(float));
        }
        goto done;
    }
    PML_TRY(pml_op_patch_mask(context, patches, &mask, (float)net->mask_value, &masked, error));
    *patches = masked;
    pml_context_show(context, "masked_patches", step->first, patches);
    if (net->patches_first && output != NULL) {
        PML_TRY(pml_op_transpose(context, &mask, &turned, error));
        mask = turned;
    }
    PML_TRY(pml_model_step_store(model, step, "mask", &mask, error));

done:
    return status;
}

/* Tokens with positions, h [b, C, tokens, D], of which training drops some; not of a token that stands before them. */
static pml_status place(pml_context *context, const patchtst *net, const patchtst_network *network,
                        const pml_tensor *embedded, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor position = network->position, all, first, others;
    if (context->tape != NULL && network->position_numbers.dtype != PML_DTYPE_NONE) {
        PML_TRY(pml_op_linear(context, &network->position_numbers, &net->ones, NULL, PML_ACTIVATION_IDENTITY, NULL,
                              &position, error));
    }
    PML_TRY(pml_op_tokens(context, embedded, net->use_cls_token ? &network->cls_token : NULL, &position, &all, error));
    if (context->training == NULL || net->positional_dropout == 0 || !net->use_cls_token) {
        PML_TRY(pml_op_dropout(context, &all, net->positional_dropout, h, error));
        goto done;
    }
    PML_TRY(pml_op_slice(context, &all, 0, 1, &first, error));
    PML_TRY(pml_op_slice(context, &all, 1, net->n_patches, &others, error));
    PML_TRY(pml_op_dropout(context, &others, net->positional_dropout, &others, error));
    PML_TRY(pml_op_append(context, &first, &others, h, error));

done:
    return status;
}

/* h [b, C, tokens, D] = tokens of the scaled patches. */
static pml_status embed(pml_model *model, const pml_model_step *step, const patchtst_pass *pass, size_t base,
                        pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    pml_tensor patches, embedded;
    PML_TRY(cut_patches(context, net, pass, &patches, error));
    PML_TRY(store_patches(model, step, &patches, error));
    PML_TRY(hide(model, step, &patches, error));
    PML_TRY(
        pml_linear_run(context, &pass->network->embedding, &patches, PML_ACTIVATION_IDENTITY, NULL, &embedded, error));
    PML_TRY(place(context, net, pass->network, &embedded, h, error));
    pml_context_release(context, base, h);
    pml_context_show(context, "embed", step->first, h);

done:
    return status;
}

/* Moves the scores that a layer has computed to where they outlive it; with a tape everything does. */
static void hand_on(pml_context *context, const pml_tensor *scores, pml_tensor *held) {
    if (context->tape != NULL) {
        *held = *scores;
        return;
    }
    memcpy(pml_tensor_f32(held), pml_tensor_f32_const(scores), pml_tensor_count(scores) * sizeof(float));
}

/* One attention sublayer over `axis` of h [b, C, tokens, D] (2: time, 1: channels), with its norm before it or after
 * the residual sum. The workspace from `base` on holds h alone, before and after. `held` has the scores that layers
 * hand on, NULL: they do not; `is_first`: there are none yet. */
static pml_status attend(pml_context *context, const patchtst *net, const patchtst_layer *layer, const pml_norm *norm,
                         unsigned axis, size_t base, pml_tensor *held, bool is_first, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor x = *h, scores = {0}, q, k, v, y, result;
    if (net->pre_norm) {
        PML_TRY(pml_op_norm(context, h, norm, &x, error));
    }
    PML_TRY(pml_linears_run(context, (const pml_linear *const[]){&layer->q, &layer->k, &layer->v}, 3, &x,
                            (pml_tensor *const[]){&q, &k, &v}, error));
    if (held != NULL && !is_first) {
        scores = *held;
    }
    const pml_attention_options options = {.n_heads = net->n_heads,
                                           .axis = axis,
                                           .scale = layer->attention_scale,
                                           .dropout = net->attention_dropout,
                                           .scores = held != NULL ? &scores : NULL};
    PML_TRY(pml_op_attention(context, &q, &k, &v, &options, &y, error));
    if (held != NULL) {
        hand_on(context, &scores, held);
    }
    const pml_layer_dropout dropout = {.result = net->path_dropout,
                                       .again = net->drops_attention_twice ? net->path_dropout : 0};
    PML_TRY(pml_linear_drop_run(context, &layer->out, &y, &dropout, net->normed_residual ? &x : h, &result, error));
    if (!net->pre_norm) {
        pml_tensor normed;
        PML_TRY(pml_op_norm(context, &result, norm, &normed, error));
        result = normed;
    }
    *h = result;
    pml_context_release(context, base, h);

done:
    return status;
}

static pml_status feed_forward(pml_context *context, const patchtst *net, const patchtst_layer *layer, size_t base,
                               pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor x = *h, result;
    if (net->pre_norm) {
        PML_TRY(pml_op_norm(context, h, &layer->norm3, &x, error));
    }
    const pml_layer_dropout dropout = {.inner = net->ff_dropout, .result = net->path_dropout};
    PML_TRY(pml_feed_forward_drop_run(context, &layer->up, &layer->down, &x, net->activation, &dropout,
                                      net->normed_residual ? &x : h, &result, error));
    if (!net->pre_norm) {
        pml_tensor normed;
        PML_TRY(pml_op_norm(context, &result, &layer->norm3, &normed, error));
        result = normed;
    }
    *h = result;
    pml_context_release(context, base, h);

done:
    return status;
}

pml_status pml_patchtst_encode(pml_model *model, const pml_model_step *step, const patchtst_pass *pass, pml_tensor *h,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    const size_t begin = pml_context_mark(context);
    pml_tensor held;
    if (net->residual_attention) {
        const size_t shape[] = {step->count * net->n_channels, net->n_heads, net->n_tokens, net->n_tokens};
        PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 4, &held, error));
    }
    const size_t base = pml_context_mark(context);
    PML_TRY(embed(model, step, pass, base, h, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        const patchtst_layer *layer = &pass->network->layers[i];
        PML_TRY(attend(context, net, layer, &layer->norm1, 2, base, net->residual_attention ? &held : NULL, i == 0, h,
                       error));
        if (net->channel_attention) {
            /* The same projections attend across channels: tokens of one time index are a sequence. */
            PML_TRY(attend(context, net, layer, &layer->norm2, 1, base, NULL, false, h, error));
        }
        PML_TRY(feed_forward(context, net, layer, base, h, error));
        if (context->probe != NULL) {
            char name[32];
            snprintf(name, sizeof name, "layer%zu", i);
            pml_context_show(context, name, step->first, h);
        }
    }
    if (net->has_final_norm) {
        pml_tensor normed;
        PML_TRY(pml_op_norm(context, h, &pass->network->final_norm, &normed, error));
        *h = normed;
        pml_context_show(context, "encoder", step->first, h);
    }
    pml_context_release(context, begin, h);

done:
    return status;
}
