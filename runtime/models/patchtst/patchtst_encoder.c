/* PatchTST: from a window to the encoder's output. */
#include <stdio.h>
#include <string.h>

#include "runtime/models/patchtst/patchtst.h"

static size_t sum(size_t a_bytes, size_t b_bytes) {
    return pml_context_bytes_sum(a_bytes, b_bytes);
}

/* Bytes of `n_samples` x `elements` floats; saturating, like the helpers it uses. */
static size_t floats(size_t n_samples, size_t elements) {
    return elements > SIZE_MAX / 8 / n_samples ? SIZE_MAX : pml_context_bytes(n_samples * elements, sizeof(float));
}

/* Elements of the scores that one sample's layers hand on; SIZE_MAX / 16 when they cannot be counted. */
static size_t score_elements(const patchtst *net) {
    size_t count = net->n_channels;
    const size_t factors[] = {net->n_heads, net->n_tokens, net->n_tokens};
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        count = count > SIZE_MAX / 16 / factors[i] ? SIZE_MAX / 16 : count * factors[i];
    }
    return count;
}

size_t pml_patchtst_encoder_bytes(const patchtst *net, size_t n_samples) {
    size_t series = net->n_channels, rows = series * net->n_tokens;
    size_t hidden = floats(n_samples, rows * net->d_model);
    size_t patches = floats(n_samples, series * net->n_patches * net->patch_length);
    size_t window = floats(n_samples, (net->context_length + net->n_padding) * series);
    size_t embed = sum(window, patches);
    for (int i = 0; i < 3 && (net->scaling_affine || net->n_padding > 0 || net->starts_aligned); i++) {
        embed = sum(embed, window); /* shifted; extended; cut */
    }
    embed = sum(embed, net->do_mask_input ? patches : 0);
    embed = sum(embed, net->patches_first ? sum(patches, window) : 0);
    embed = sum(embed, sum(floats(n_samples, series * net->n_patches * net->d_model), hidden));
    size_t depth = net->d_model / net->n_heads;
    size_t work = pml_attention_work(net->n_tokens, depth), work_channels = pml_attention_work(series, depth);
    size_t attention = floats(1, work > work_channels || !net->channel_attention ? work : work_channels);
    for (int i = 0; i < 7; i++) { /* h; norm, q, k, v, attention, out */
        attention = sum(attention, hidden);
    }
    size_t ffn = sum(sum(hidden, hidden), sum(hidden, floats(n_samples, rows * net->ffn_dim)));
    size_t greatest = embed > attention ? embed : attention;
    greatest = ffn > greatest ? ffn : greatest;
    if (net->residual_attention) {
        size_t scores = floats(n_samples, score_elements(net)); /* those handed on, and those being computed */
        greatest = sum(greatest, sum(scores, scores));
    }
    return greatest;
}

static pml_status linear(pml_context *context, const pml_tensor *x, const patchtst_linear *weights,
                         pml_activation activation, const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    return pml_op_linear(context, x, &weights->weight, weights->has_bias ? &weights->bias : NULL, activation, residual,
                         y, error);
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

/* h [b, C, tokens, D] = tokens of the scaled patches. */
static pml_status embed(pml_model *model, const pml_model_step *step, const patchtst_pass *pass, size_t base,
                        pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    const pml_tensor *mask = pml_model_step_input(model, step, "mask");
    pml_tensor patches, embedded;
    PML_TRY(cut_patches(context, net, pass, &patches, error));
    PML_TRY(store_patches(model, step, &patches, error));
    if (mask != NULL) {
        pml_tensor masked, by_channel = *mask;
        if (net->patches_first) {
            PML_TRY(pml_op_transpose(context, mask, &by_channel, error));
        }
        PML_TRY(pml_op_patch_mask(context, &patches, &by_channel, (float)net->mask_value, &masked, error));
        patches = masked;
        pml_context_show(context, "masked_patches", step->first, &patches);
    }
    PML_TRY(linear(context, &patches, &pass->network->embedding, PML_ACTIVATION_IDENTITY, NULL, &embedded, error));
    PML_TRY(pml_op_tokens(context, &embedded, net->use_cls_token ? &pass->network->cls_token : NULL,
                          &pass->network->position, h, error));
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
    PML_TRY(linear(context, &x, &layer->q, PML_ACTIVATION_IDENTITY, NULL, &q, error));
    PML_TRY(linear(context, &x, &layer->k, PML_ACTIVATION_IDENTITY, NULL, &k, error));
    PML_TRY(linear(context, &x, &layer->v, PML_ACTIVATION_IDENTITY, NULL, &v, error));
    if (held != NULL && !is_first) {
        scores = *held;
    }
    const pml_attention_options options = {.n_heads = net->n_heads,
                                           .axis = axis,
                                           .scale = layer->attention_scale,
                                           .scores = held != NULL ? &scores : NULL};
    PML_TRY(pml_op_attention(context, &q, &k, &v, &options, &y, error));
    if (held != NULL) {
        hand_on(context, &scores, held);
    }
    PML_TRY(linear(context, &y, &layer->out, PML_ACTIVATION_IDENTITY, net->normed_residual ? &x : h, &result, error));
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
    pml_tensor x = *h, up, result;
    if (net->pre_norm) {
        PML_TRY(pml_op_norm(context, h, &layer->norm3, &x, error));
    }
    PML_TRY(linear(context, &x, &layer->up, net->activation, NULL, &up, error));
    PML_TRY(linear(context, &up, &layer->down, PML_ACTIVATION_IDENTITY, net->normed_residual ? &x : h, &result, error));
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
