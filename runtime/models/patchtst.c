/* PatchTST: scaling, patches, tokens and the encoder. */
#include "runtime/models/patchtst/patchtst.h"

#include <math.h>
#include <stdio.h>

/* A forward of this much storage stays within the second-level cache of current CPUs. */
#define BLOCK_BYTES 1048576u

#define STD_FLOOR 1e-5   /* added to the variance of a window */
#define MEAN_FLOOR 1e-10 /* least mean magnitude of a window */

static size_t sum(size_t a_bytes, size_t b_bytes) {
    return pml_context_bytes_sum(a_bytes, b_bytes);
}

/* Bytes of `n_samples` x `elements` floats; saturating, like the helpers it uses. */
static size_t floats(size_t n_samples, size_t elements) {
    return elements > SIZE_MAX / 8 / n_samples ? SIZE_MAX : pml_context_bytes(n_samples * elements, sizeof(float));
}

/* Storage of one forward: the encoder's state h beside the greediest of its phases. */
static size_t forward_bytes(const patchtst *net, size_t n_samples) {
    size_t series = net->n_channels, rows = series * net->n_tokens;
    size_t hidden = floats(n_samples, rows * net->d_model);
    size_t patches = floats(n_samples, series * net->n_patches * net->patch_length);
    size_t embed = sum(floats(n_samples, net->context_length * series), patches);
    embed = sum(embed, net->do_mask_input ? patches : 0);
    embed = sum(embed, sum(floats(n_samples, series * net->n_patches * net->d_model), hidden));
    size_t depth = net->d_model / net->n_heads;
    size_t work = pml_attention_work(net->n_tokens, depth), work_channels = pml_attention_work(series, depth);
    size_t attention = floats(1, work > work_channels || !net->channel_attention ? work : work_channels);
    for (int i = 0; i < 7; i++) { /* h; norm, q, k, v, attention, out */
        attention = sum(attention, hidden);
    }
    size_t ffn = sum(sum(hidden, hidden), sum(hidden, floats(n_samples, rows * net->ffn_dim)));
    size_t head = sum(hidden, pml_patchtst_head_bytes(net, n_samples));
    size_t greatest = embed > attention ? embed : attention;
    greatest = ffn > greatest ? ffn : greatest;
    return head > greatest ? head : greatest;
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    (void)error;
    const patchtst *net = pml_model_data(model);
    size_t one_bytes = forward_bytes(net, 1);
    size_t block = BLOCK_BYTES / one_bytes;
    block = block < 1 ? 1 : block > batch ? batch : block;
    size_t n_blocks = batch / block + (batch % block != 0);
    result->block = batch / n_blocks + (batch % n_blocks != 0); /* blocks of nearly equal size */
    result->workspace_bytes = forward_bytes(net, result->block);
    size_t statistics =
        net->n_channels > SIZE_MAX / 8 / batch ? SIZE_MAX : pml_context_bytes(net->n_channels * batch, sizeof(double));
    result->step_bytes = 0;
    for (int i = 0; i < 3; i++) { /* loc, scale, and the weights that they are computed with */
        result->step_bytes = sum(result->step_bytes, sum(statistics, pml_context_bytes(1, sizeof(pml_buffer))));
    }
    return PML_OK;
}

static pml_status begin(pml_model *model, const pml_model_step *step, pml_error *error) {
    patchtst *net = pml_model_data(model);
    return pml_op_instance_statistics(pml_model_context(model), pml_model_step_input(model, step, "past_values"),
                                      pml_model_step_input(model, step, "past_observed_mask"), net->scaling,
                                      net->scaling == PML_INSTANCE_STD ? STD_FLOOR : MEAN_FLOOR, &net->loc, &net->scale,
                                      error);
}

static pml_status linear(pml_context *context, const pml_tensor *x, const patchtst_linear *weights,
                         pml_activation activation, const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    return pml_op_linear(context, x, &weights->weight, weights->has_bias ? &weights->bias : NULL, activation, residual,
                         y, error);
}

/* h [b, C, tokens, D] = tokens of the scaled patches. */
static pml_status embed(pml_model *model, const pml_model_step *step, size_t base, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    const pml_tensor *mask = pml_model_step_input(model, step, "mask");
    pml_tensor loc = pml_model_rows(&net->loc, step->first, step->count);
    pml_tensor scale = pml_model_rows(&net->scale, step->first, step->count);
    pml_tensor scaled, patches, embedded;
    PML_TRY(pml_op_instance_normalize(context, pml_model_step_input(model, step, "past_values"), &loc, &scale, &scaled,
                                      error));
    PML_TRY(pml_op_patchify(context, &scaled, net->patch_length, net->patch_stride, &patches, error));
    PML_TRY(pml_model_step_store(model, step, "patch_input", &patches, error));
    PML_TRY(pml_model_step_store(model, step, "loc", &loc, error));
    PML_TRY(pml_model_step_store(model, step, "scale", &scale, error));
    if (mask != NULL) {
        pml_tensor masked;
        PML_TRY(pml_op_patch_mask(context, &patches, mask, (float)net->mask_value, &masked, error));
        patches = masked;
        pml_context_show(context, "masked_patches", step->first, &patches);
    }
    PML_TRY(linear(context, &patches, &net->embedding, PML_ACTIVATION_IDENTITY, NULL, &embedded, error));
    PML_TRY(pml_op_tokens(context, &embedded, net->use_cls_token ? &net->cls_token : NULL, &net->position, h, error));
    pml_context_release(context, base, h);
    pml_context_show(context, "embed", step->first, h);

done:
    return status;
}

/* One attention sublayer over `axis` of h [b, C, tokens, D] (2: time, 1: channels), with its norm before it or after
 * the residual sum. The workspace from `base` on holds h alone, before and after. */
static pml_status attend(pml_context *context, const patchtst *net, const patchtst_layer *layer, const pml_norm *norm,
                         unsigned axis, size_t base, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor x = *h, q, k, v, y, result;
    if (net->pre_norm) {
        PML_TRY(pml_op_norm(context, h, norm, &x, error));
    }
    PML_TRY(linear(context, &x, &layer->q, PML_ACTIVATION_IDENTITY, NULL, &q, error));
    PML_TRY(linear(context, &x, &layer->k, PML_ACTIVATION_IDENTITY, NULL, &k, error));
    PML_TRY(linear(context, &x, &layer->v, PML_ACTIVATION_IDENTITY, NULL, &v, error));
    const size_t depth = net->d_model / net->n_heads;
    const pml_attention_options options = {
        .n_heads = net->n_heads, .axis = axis, .scale = (float)(1.0 / sqrt((double)depth))};
    PML_TRY(pml_op_attention(context, &q, &k, &v, &options, &y, error));
    PML_TRY(linear(context, &y, &layer->out, PML_ACTIVATION_IDENTITY, h, &result, error));
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
    PML_TRY(linear(context, &up, &layer->down, PML_ACTIVATION_IDENTITY, h, &result, error));
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

static pml_status forward(pml_model *model, const pml_model_step *step, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    const size_t base = pml_context_mark(context);
    pml_tensor h;
    PML_TRY(embed(model, step, base, &h, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        const patchtst_layer *layer = &net->layers[i];
        PML_TRY(attend(context, net, layer, &layer->norm1, 2, base, &h, error));
        if (net->channel_attention) {
            /* The same projections attend across channels: tokens of one time index are a sequence. */
            PML_TRY(attend(context, net, layer, &layer->norm2, 1, base, &h, error));
        }
        PML_TRY(feed_forward(context, net, layer, base, &h, error));
        if (context->probe != NULL) {
            char name[32];
            snprintf(name, sizeof name, "layer%zu", i);
            pml_context_show(context, name, step->first, &h);
        }
    }
    PML_TRY(pml_patchtst_run_head(model, step, &h, error));

done:
    return status;
}

extern const pml_model_family pml_model_patchtst;
const pml_model_family pml_model_patchtst = {
    .data_bytes = sizeof(patchtst),
    .load = pml_patchtst_load,
    .plan = plan,
    .begin = begin,
    .forward = forward,
};
