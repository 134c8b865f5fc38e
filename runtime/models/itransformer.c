/* iTransformer (Liu et al. 2024, arXiv:2310.06625), as specs/models/itransformer.md describes it. */
#include <math.h>
#include <stdio.h>

#include "runtime/models/layers.h"
#include "runtime/schema/series_ports.h"

#define STD_FLOOR 1e-5 /* added to the variance of a window */
#define NORM_EPS 1e-5

typedef struct itransformer_layer {
    pml_linear q, k, v, out, up, down;
    pml_norm norm1, norm2;
} itransformer_layer;

typedef struct itransformer {
    bool is_classifier, is_scaled;
    size_t context_length, output_length, n_layers, d_model, n_heads, ffn_dim, n_marks, n_targets;
    double dropout;
    pml_activation activation;
    pml_linear embedding, head; /* head: of steps, or of classes */
    itransformer_layer *layers; /* in the model arena */
    pml_norm final_norm;
    pml_tensor loc, scale; /* F64 [B, 1, C] of the current run, only if is_scaled */
} itransformer;

/* ---- weights ---- */
static pml_status load_layer(pml_model *model, size_t i_layer, itransformer_layer *layer, pml_error *error) {
    pml_status status = PML_OK;
    const struct {
        const char *name;
        pml_linear *linear;
    } linears[] = {{"attention.q", &layer->q},     {"attention.k", &layer->k}, {"attention.v", &layer->v},
                   {"attention.out", &layer->out}, {"ffn.up", &layer->up},     {"ffn.down", &layer->down}};
    char name[64];
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        (void)snprintf(name, sizeof name, "encoder.layer.%zu.%s", i_layer, linears[i].name);
        PML_TRY(pml_linear_load(model, name, true, linears[i].linear, error));
    }
    (void)snprintf(name, sizeof name, "encoder.layer.%zu.norm1", i_layer);
    PML_TRY(pml_norm_load(model, name, PML_NORM_LAYER, NORM_EPS, &layer->norm1, error));
    (void)snprintf(name, sizeof name, "encoder.layer.%zu.norm2", i_layer);
    PML_TRY(pml_norm_load(model, name, PML_NORM_LAYER, NORM_EPS, &layer->norm2, error));

done:
    return status;
}

static pml_status load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    itransformer *net = pml_model_data(model);
    const struct {
        const char *expression;
        size_t *size;
    } sizes[] = {{"context_length", &net->context_length}, {"output_length", &net->output_length},
                 {"num_hidden_layers", &net->n_layers},    {"d_model", &net->d_model},
                 {"num_attention_heads", &net->n_heads},   {"ffn_dim", &net->ffn_dim},
                 {"n_time_features", &net->n_marks},       {"num_targets", &net->n_targets}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        PML_TRY(pml_model_eval_size(model, sizes[i].expression, sizes[i].size, error));
    }
    PML_TRY(pml_model_eval_flag(model, "is_classifier", &net->is_classifier, error));
    PML_TRY(pml_model_eval_flag(model, "is_scaled", &net->is_scaled, error));
    PML_TRY(pml_model_config_activation(model, "activation", &net->activation, error));
    PML_TRY(pml_model_config_dropout(model, "dropout", &net->dropout, error));
    PML_TRY(pml_linear_load(model, "embedding", true, &net->embedding, error));
    PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, net->n_layers, sizeof *net->layers, &net->layers, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(load_layer(model, i, &net->layers[i], error));
    }
    PML_TRY(pml_norm_load(model, "encoder.norm", PML_NORM_LAYER, NORM_EPS, &net->final_norm, error));
    PML_TRY(pml_linear_load(model, net->is_classifier ? "classifier" : "head", true, &net->head, error));

done:
    return status;
}

/* ---- storage ---- */
static size_t n_channels(const pml_model *model) {
    const pml_model_port *port = pml_model_find_input(model, PML_PORT_VALUES);
    return port->token_axis != 0 ? pml_model_n_tokens(model) : port->shape[2];
}

static size_t forward_bytes(const itransformer *net, size_t n_samples, size_t channels) {
    const size_t n_tokens = channels > SIZE_MAX / 2 ? SIZE_MAX : channels + net->n_marks;
    const size_t window = PML_FLOATS(n_samples, net->context_length, n_tokens);
    const size_t hidden = PML_FLOATS(n_samples, n_tokens, net->d_model);
    /* Scaled values, both parts turned, and joined; the embedding. */
    const size_t embed = PML_SUM(window, window, window, hidden);
    /* h, q, k, v, attention, sum, norm; h, sum, norm and what lies between both matrices */
    const size_t work = PML_FLOATS(pml_attention_work(n_tokens, net->d_model / net->n_heads));
    const size_t attention = PML_SUM(work, hidden, hidden, hidden, hidden, hidden, hidden, hidden);
    const size_t ffn = PML_SUM(hidden, hidden, hidden, PML_FLOATS(n_samples, n_tokens, net->ffn_dim));
    const size_t output = PML_FLOATS(n_samples, channels, net->output_length);
    const size_t head = PML_SUM(hidden, hidden, hidden, output, output, output, PML_FLOATS(n_samples, net->n_targets));
    size_t greatest = embed > attention ? embed : attention;
    greatest = ffn > greatest ? ffn : greatest;
    return head > greatest ? head : greatest;
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    (void)error;
    const itransformer *net = pml_model_data(model);
    const size_t channels = n_channels(model);
    result->block = pml_model_block(model, batch, forward_bytes(net, 1, channels));
    result->workspace_bytes = forward_bytes(net, result->block, channels);
    result->step_bytes = net->is_scaled ? pml_instance_bytes(batch, channels) : 0;
    return PML_OK;
}

/* ---- computation ---- */
static pml_status begin(pml_model *model, const pml_model_step *step, pml_error *error) {
    itransformer *net = pml_model_data(model);
    return net->is_scaled ? pml_op_instance_statistics(pml_model_context(model),
                                                       pml_model_step_input(model, step, PML_PORT_VALUES), NULL,
                                                       PML_INSTANCE_STD, STD_FLOOR, &net->loc, &net->scale, error)
                          : PML_OK;
}

/* h [b, tokens, D]: one token per channel, then one per time mark. */
static pml_status embed(pml_model *model, const pml_model_step *step, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const itransformer *net = pml_model_data(model);
    const pml_tensor *x = pml_model_step_input(model, step, PML_PORT_VALUES);
    const pml_tensor *marks = pml_model_step_input(model, step, PML_PORT_MARKS);
    const size_t base = pml_context_mark(context);
    pml_tensor window = *x, tokens;
    if (net->is_scaled) {
        const pml_tensor loc = pml_model_rows(&net->loc, step->first, step->count);
        const pml_tensor scale = pml_model_rows(&net->scale, step->first, step->count);
        PML_TRY(pml_op_instance_normalize(context, x, &loc, &scale, &window, error));
    }
    PML_TRY(pml_op_transpose(context, &window, &tokens, error));
    if (marks != NULL) {
        pml_tensor of_marks, all;
        PML_TRY(pml_op_transpose(context, marks, &of_marks, error));
        PML_TRY(pml_op_append(context, &tokens, &of_marks, &all, error));
        tokens = all;
    }
    PML_TRY(pml_linear_run(context, &net->embedding, &tokens, PML_ACTIVATION_IDENTITY, NULL, h, error));
    PML_TRY(pml_op_dropout(context, h, net->dropout, h, error));
    pml_context_release(context, base, h);
    pml_context_show(context, "embedding", step->first, h);

done:
    return status;
}

/* One layer. The workspace from `base` on holds h alone, before and after. */
static pml_status run_layer(pml_context *context, const itransformer *net, const itransformer_layer *layer, size_t base,
                            pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor q, k, v, y, sum, normed;
    const pml_attention_options options = {.n_heads = net->n_heads,
                                           .axis = 1,
                                           .scale = (float)(1.0 / sqrt((double)(net->d_model / net->n_heads))),
                                           .dropout = net->dropout};
    const pml_layer_dropout dropout = {.inner = net->dropout, .result = net->dropout};
    PML_TRY(pml_linears_run(context, (const pml_linear *const[]){&layer->q, &layer->k, &layer->v}, 3, h,
                            (pml_tensor *const[]){&q, &k, &v}, error));
    PML_TRY(pml_op_attention(context, &q, &k, &v, &options, &y, error));
    PML_TRY(pml_linear_drop_run(context, &layer->out, &y, &dropout, h, &sum, error));
    PML_TRY(pml_op_norm(context, &sum, &layer->norm1, &normed, error));
    *h = normed;
    pml_context_release(context, base, h);
    PML_TRY(pml_feed_forward_drop_run(context, &layer->up, &layer->down, h, net->activation, &dropout, h, &sum, error));
    PML_TRY(pml_op_norm(context, &sum, &layer->norm2, &normed, error));
    *h = normed;
    pml_context_release(context, base, h);

done:
    return status;
}

/* Class scores of all features of all channels. */
static pml_status classify(pml_model *model, const pml_model_step *step, const pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const itransformer *net = pml_model_data(model);
    pml_tensor features, logits;
    PML_TRY(pml_op_activate(context, h, PML_ACTIVATION_GELU, &features, error));
    PML_TRY(pml_op_dropout(context, &features, net->dropout, &features, error));
    features.rank = 2;
    features.shape[1] *= features.shape[2];
    PML_TRY(pml_linear_run(context, &net->head, &features, PML_ACTIVATION_IDENTITY, NULL, &logits, error));
    PML_TRY(pml_model_step_store(model, step, "prediction_logits", &logits, error));

done:
    return status;
}

/* From the channels' tokens h [b, C, D] to steps, in the input's units. */
static pml_status foretell(pml_model *model, const pml_model_step *step, const pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const itransformer *net = pml_model_data(model);
    pml_tensor by_channel, y;
    PML_TRY(pml_linear_run(context, &net->head, h, PML_ACTIVATION_IDENTITY, NULL, &by_channel, error));
    PML_TRY(pml_op_transpose(context, &by_channel, &y, error));
    if (net->is_scaled) {
        const pml_tensor scaled = y, loc = pml_model_rows(&net->loc, step->first, step->count);
        const pml_tensor scale = pml_model_rows(&net->scale, step->first, step->count);
        PML_TRY(pml_op_instance_denormalize(context, &scaled, &loc, &scale, &y, error));
    }
    PML_TRY(pml_model_step_store(model, step, PML_PORT_FORECAST, &y, error));
    PML_TRY(pml_model_step_store(model, step, "reconstruction", &y, error));

done:
    return status;
}

static pml_status forward(pml_model *model, const pml_model_step *step, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const itransformer *net = pml_model_data(model);
    const size_t base = pml_context_mark(context), channels = n_channels(model);
    pml_tensor h, normed;
    PML_TRY(embed(model, step, &h, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(run_layer(context, net, &net->layers[i], base, &h, error));
    }
    if (h.shape[1] > channels) { /* time marks have no forecast */
        const pml_tensor all = h;
        PML_TRY(pml_op_slice(context, &all, 0, channels, &h, error));
    }
    PML_TRY(pml_op_norm(context, &h, &net->final_norm, &normed, error));
    if (net->is_classifier) {
        PML_TRY(classify(model, step, &normed, error));
    } else {
        PML_TRY(foretell(model, step, &normed, error));
    }

done:
    return status;
}

extern const pml_model_family pml_model_itransformer;
const pml_model_family pml_model_itransformer = {
    .data_bytes = sizeof(itransformer),
    .load = load,
    .plan = plan,
    .begin = begin,
    .forward = forward,
};
