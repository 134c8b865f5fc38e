/* TimesNet (Wu et al. 2023, arXiv:2210.02186), as specs/models/timesnet.md describes it. Samples that are computed
 * together share their periods: one at a time, unless a run is batch-wide. */
#include <stdio.h>
#include <string.h>

#include "runtime/models/data_embedding.h"
#include "runtime/models/timesnet/merged_kernels.h"
#include "runtime/ops/fourier.h"
#include "runtime/ops/inception.h"
#include "runtime/ops/signal.h"
#include "runtime/schema/series_ports.h"

#define STD_FLOOR 1e-5 /* added to the variance of a window */
#define NORM_EPS 1e-5
#define MAX_KERNELS 8u
#define MAX_PERIODS 64u

#define MOST_MERGED_BYTES ((size_t)64 << 20)

typedef struct inception {
    pml_linear kernels[MAX_KERNELS]; /* [taps, taps * in, out] each */
    bool is_merged;
    pml_linear merged; /* their mean: of the model, or of this step */
} inception;

typedef struct timesnet_layer {
    inception up, down;
} timesnet_layer;

typedef struct timesnet {
    bool is_forecast, is_classifier, is_imputation, is_scaled;
    size_t context_length, n_steps, horizon, n_channels, n_layers, d_model, ffn_dim, n_kernels, n_periods, n_targets;
    pml_data_embedding embedding;
    pml_linear extend, head; /* head: of channels, or of classes */
    timesnet_layer *layers;  /* in the model arena, as the table */
    pml_norm norm;           /* behind every layer */
    pml_tensor spectrum;     /* [2 M, M], M = n_steps / 2 + 1: a real transform */
    pml_tensor loc, scale;   /* F64 [B, 1, C] of the current run, only if is_scaled */
} timesnet;

/* ---- weights ---- */
static pml_status load_kernels(pml_model *model, size_t i_layer, const char *part, size_t n_kernels, size_t *room_bytes,
                               inception *of, pml_error *error) {
    pml_status status = PML_OK;
    char name[64];
    for (size_t k = 0; k < n_kernels; k++) {
        (void)snprintf(name, sizeof name, "layer.%zu.%s.%zu", i_layer, part, k);
        PML_TRY(pml_linear_load(model, name, true, &of->kernels[k], error));
    }
    PML_TRY(pml_kernels_merge(model, of->kernels, n_kernels, room_bytes, &of->merged, &of->is_merged, error));

done:
    return status;
}

static pml_status make_spectrum(pml_model *model, timesnet *net, pml_error *error) {
    pml_status status = PML_OK;
    pml_arena *arena = &pml_model_context(model)->model;
    const size_t n_modes = net->n_steps / 2 + 1;
    int64_t *modes = NULL;
    PML_TRY(pml_model_table(model, 2 * n_modes, n_modes, &net->spectrum, error));
    PML_TRY(pml_arena_alloc(arena, n_modes, sizeof *modes, &modes, error));
    for (size_t i = 0; i < n_modes; i++) {
        modes[i] = (int64_t)i;
    }
    pml_fourier_table(modes, n_modes, net->n_steps, pml_tensor_f32(&net->spectrum));

done:
    return status;
}

static pml_status load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    timesnet *net = pml_model_data(model);
    size_t room_bytes = MOST_MERGED_BYTES;
    const struct {
        const char *expression;
        size_t *size;
    } sizes[] = {{"context_length", &net->context_length},
                 {"n_steps", &net->n_steps},
                 {"prediction_length", &net->horizon},
                 {"num_input_channels", &net->n_channels},
                 {"num_hidden_layers", &net->n_layers},
                 {"d_model", &net->d_model},
                 {"ffn_dim", &net->ffn_dim},
                 {"num_kernels", &net->n_kernels},
                 {"num_periods", &net->n_periods},
                 {"num_targets", &net->n_targets}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        PML_TRY(pml_model_eval_size(model, sizes[i].expression, sizes[i].size, error));
    }
    PML_TRY(pml_model_eval_flag(model, "is_forecast", &net->is_forecast, error));
    PML_TRY(pml_model_eval_flag(model, "is_classifier", &net->is_classifier, error));
    PML_TRY(pml_model_eval_flag(model, "head == 'imputation'", &net->is_imputation, error));
    PML_TRY(pml_model_eval_flag(model, "is_scaled", &net->is_scaled, error));
    PML_TRY(pml_data_embedding_load(model, "encoder.embedding", &net->embedding, error));
    if (net->is_forecast) {
        PML_TRY(pml_linear_load(model, "extend", true, &net->extend, error));
    }
    PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, net->n_layers, sizeof *net->layers, &net->layers, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(load_kernels(model, i, "up", net->n_kernels, &room_bytes, &net->layers[i].up, error));
        PML_TRY(load_kernels(model, i, "down", net->n_kernels, &room_bytes, &net->layers[i].down, error));
    }
    PML_TRY(pml_norm_load(model, "norm", PML_NORM_LAYER, NORM_EPS, &net->norm, error));
    PML_TRY(pml_linear_load(model, net->is_classifier ? "classifier" : "head", true, &net->head, error));
    PML_TRY(make_spectrum(model, net, error));

done:
    return status;
}

/* ---- storage ---- */
static size_t forward_bytes(const timesnet *net, size_t n_samples) {
    const size_t window = PML_FLOATS(n_samples, net->context_length, net->n_channels);
    const size_t hidden = PML_FLOATS(n_samples, net->n_steps, net->d_model);
    const size_t taps = 2 * net->n_kernels - 1,
                 folded = 2 * net->n_steps; /* steps with the zeros behind them, at most */
    const size_t image = PML_FLOATS(n_samples, folded, net->d_model);
    const size_t wide = PML_FLOATS(n_samples, folded, net->ffn_dim);
    const size_t embed = PML_SUM(window, window, window, hidden, hidden, hidden, hidden,
                                 pml_data_embedding_bytes(&net->embedding, n_samples, net->context_length));
    const size_t spectrum = PML_SUM(PML_FLOATS(n_samples, pml_tensor_rows(&net->spectrum), net->d_model),
                                    PML_FLOATS(n_samples, net->n_steps), PML_FLOATS(n_samples, net->n_periods));
    const size_t up = pml_convolve_bytes(n_samples, folded, taps, net->d_model, net->ffn_dim);
    const size_t down = pml_convolve_bytes(n_samples, folded, taps, net->ffn_dim, net->d_model);
    /* h, sum, its successor, image; what lies between both convolutions; partial sums, the mean and what follows */
    const size_t block =
        PML_SUM(hidden, hidden, hidden, spectrum, image, image, image, wide, wide, wide, up > down ? up : down,
                pml_kernels_merge_bytes(net->n_kernels, net->d_model, net->ffn_dim),
                pml_kernels_merge_bytes(net->n_kernels, net->ffn_dim, net->d_model));
    const size_t head =
        PML_SUM(hidden, hidden, hidden, window, PML_FLOATS(n_samples, net->n_steps, net->n_channels),
                PML_FLOATS(n_samples, net->n_steps, net->n_channels),
                PML_FLOATS(n_samples, net->n_steps, net->n_channels), PML_FLOATS(n_samples, net->n_targets));
    const size_t greatest = embed > block ? embed : block;
    return head > greatest ? head : greatest;
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    (void)error;
    const timesnet *net = pml_model_data(model);
    result->block = pml_model_is_batch_wide(model) ? batch : 1;
    result->workspace_bytes = forward_bytes(net, result->block);
    result->step_bytes = net->is_scaled ? pml_instance_bytes(batch, net->n_channels) : 0;
    return PML_OK;
}

/* ---- computation ---- */
static pml_status begin(pml_model *model, const pml_model_step *step, pml_error *error) {
    timesnet *net = pml_model_data(model);
    const pml_tensor *observed = net->is_imputation ? pml_model_step_input(model, step, "past_observed_mask") : NULL;
    return net->is_scaled ? pml_op_instance_statistics(pml_model_context(model),
                                                       pml_model_step_input(model, step, PML_PORT_VALUES), observed,
                                                       PML_INSTANCE_STD, STD_FLOOR, &net->loc, &net->scale, error)
                          : PML_OK;
}

/* y = x where mask, of one value for each row of x, is 1, and 0 where it is 0. */
static pml_status blank(pml_context *context, const pml_tensor *x, const pml_tensor *mask, pml_tensor *y,
                        pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor without, rows = *x;
    PML_TRY(pml_op_affine(context, mask, -1, 1, &without, error));
    rows.rank = mask->rank + 1;
    rows.shape[mask->rank] = mask->rank == x->rank ? 1 : x->shape[mask->rank];
    PML_TRY(pml_op_patch_mask(context, &rows, &without, 0, y, error));
    y->rank = x->rank;

done:
    return status;
}

/* y [..., n_out, D] of x [..., n_in, D]: a linear layer over time. */
static pml_status run_over_time(pml_context *context, const pml_linear *linear, const pml_tensor *x, pml_tensor *y,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor turned, longer;
    PML_TRY(pml_op_transpose(context, x, &turned, error));
    PML_TRY(pml_linear_run(context, linear, &turned, PML_ACTIVATION_IDENTITY, NULL, &longer, error));
    PML_TRY(pml_op_transpose(context, &longer, y, error));

done:
    return status;
}

/* h [b, n_steps, D] */
static pml_status embed(pml_model *model, const pml_model_step *step, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const timesnet *net = pml_model_data(model);
    const pml_tensor *marks = pml_model_step_input(model, step, PML_PORT_MARKS);
    const size_t base = pml_context_mark(context);
    pml_tensor window = *pml_model_step_input(model, step, PML_PORT_VALUES), y;
    if (net->is_scaled) {
        const pml_tensor x = window, loc = pml_model_rows(&net->loc, step->first, step->count);
        const pml_tensor scale = pml_model_rows(&net->scale, step->first, step->count);
        PML_TRY(pml_op_instance_normalize(context, &x, &loc, &scale, &window, error));
    }
    if (net->is_imputation) {
        const pml_tensor x = window;
        PML_TRY(blank(context, &x, pml_model_step_input(model, step, "past_observed_mask"), &window, error));
    }
    PML_TRY(pml_data_embedding_run(context, &net->embedding, &window, marks, h, error));
    pml_context_show(context, "embedding", step->first, h);
    if (net->is_forecast) {
        PML_TRY(run_over_time(context, &net->extend, h, &y, error));
        *h = y;
    }
    pml_context_release(context, base, h);

done:
    return status;
}

/* y = activation(mean of what the kernels make of x [b, H, W, in]). The workspace holds y alone of it afterwards. */
static pml_status run_kernels(pml_context *context, const inception *of, size_t n_kernels, pml_activation activation,
                              const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t base = pml_context_mark(context);
    pml_tensor sum = {0};
    for (size_t k = 0; k < n_kernels && !of->is_merged; k++) {
        const pml_linear *kernel = &of->kernels[k];
        const pml_tensor before = sum;
        PML_TRY(pml_op_convolve(context, x, &kernel->weight, &kernel->bias, k == 0 ? NULL : &before, &sum, error));
        pml_context_release(context, base, &sum);
    }
    if (of->is_merged) {
        PML_TRY(pml_op_convolve(context, x, &of->merged.weight, &of->merged.bias, NULL, y, error));
    } else {
        PML_TRY(pml_op_affine(context, &sum, 1.0 / (double)n_kernels, 0, y, error));
    }
    if (activation != PML_ACTIVATION_IDENTITY) {
        const pml_tensor mean = *y;
        PML_TRY(pml_op_activate(context, &mean, activation, y, error));
    }
    pml_context_release(context, base, y);

done:
    return status;
}

/* y [b, rows * period, D]: the series in rows of one period, convolved, and in one row again. */
static pml_status run_period(pml_context *context, const timesnet *net, const timesnet_layer *layer, size_t period,
                             const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t base = pml_context_mark(context);
    const size_t n_steps = x->shape[1], n_rows = (n_steps + period - 1) / period;
    pml_tensor image, wide;
    PML_TRY(pml_op_continue(context, x, n_steps, NULL, n_rows * period - n_steps, &image, error));
    image.rank = 4;
    memcpy(image.shape, (const size_t[]){x->shape[0], n_rows, period, x->shape[2]}, 4 * sizeof(size_t));
    PML_TRY(run_kernels(context, &layer->up, net->n_kernels, PML_ACTIVATION_GELU, &image, &wide, error));
    PML_TRY(run_kernels(context, &layer->down, net->n_kernels, PML_ACTIVATION_IDENTITY, &wide, y, error));
    y->rank = 3;
    memcpy(y->shape, (const size_t[]){x->shape[0], n_rows * period, x->shape[2]}, 3 * sizeof(size_t));
    pml_context_release(context, base, y);

done:
    return status;
}

/* A layer whose kernels are learned, with those of this step merged. */
static pml_status make_ready(pml_context *context, const timesnet *net, timesnet_layer *layer, pml_error *error) {
    pml_status status = PML_OK;
    inception *const parts[] = {&layer->up, &layer->down};
    for (size_t i = 0; i < 2; i++) {
        if (!parts[i]->is_merged) {
            PML_TRY(pml_kernels_merge_step(context, parts[i]->kernels, net->n_kernels, &parts[i]->merged,
                                           &parts[i]->is_merged, error));
        }
    }

done:
    return status;
}

/* One block and the norm behind it. The workspace from `base` on holds h alone, before and after. */
static pml_status run_layer(pml_context *context, const timesnet *net, const timesnet_layer *layer, size_t base,
                            pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    size_t frequencies[MAX_PERIODS] = {0};
    timesnet_layer ready = *layer;
    pml_tensor spectrum, amplitudes, scores, sum = *h;
    PML_TRY(make_ready(context, net, &ready, error));
    PML_TRY(pml_op_mix_steps(context, &net->spectrum, h, &spectrum, error));
    PML_TRY(pml_op_amplitudes(context, &spectrum, &amplitudes, error));
    pml_amplitudes_greatest(&amplitudes, net->n_periods, frequencies);
    PML_TRY(pml_op_pick(context, &amplitudes, frequencies, net->n_periods, &scores, error));
    const size_t mark = pml_context_mark(context);
    for (size_t i = 0; i < net->n_periods; i++) {
        const pml_tensor before = sum;
        pml_tensor part;
        PML_TRY(run_period(context, net, &ready, net->n_steps / frequencies[i], h, &part, error));
        PML_TRY(pml_op_add_share(context, &before, &part, &scores, i, &sum, error));
        pml_context_release(context, mark, &sum);
    }
    PML_TRY(pml_op_norm(context, &sum, &net->norm, h, error));
    pml_context_release(context, base, h);

done:
    return status;
}

/* Class scores of all features of the steps that are there. */
static pml_status classify(pml_model *model, const pml_model_step *step, const pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const timesnet *net = pml_model_data(model);
    const pml_tensor *mask = pml_model_step_input(model, step, "step_mask");
    pml_tensor features, logits;
    PML_TRY(pml_op_activate(context, h, PML_ACTIVATION_GELU, &features, error));
    PML_TRY(pml_op_dropout(context, &features, net->embedding.dropout, &features, error));
    if (mask != NULL) {
        const pml_tensor all = features;
        PML_TRY(blank(context, &all, mask, &features, error));
    }
    features.rank = 2;
    features.shape[1] *= features.shape[2];
    PML_TRY(pml_linear_run(context, &net->head, &features, PML_ACTIVATION_IDENTITY, NULL, &logits, error));
    PML_TRY(pml_model_step_store(model, step, "prediction_logits", &logits, error));

done:
    return status;
}

/* From h [b, n_steps, D] to the steps that are wanted, in the input's units. */
static pml_status foretell(pml_model *model, const pml_model_step *step, const pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const timesnet *net = pml_model_data(model);
    const size_t n_wanted = net->is_forecast ? net->horizon : net->context_length;
    pml_tensor last, y;
    PML_TRY(pml_op_slice(context, h, net->n_steps - n_wanted, n_wanted, &last, error));
    PML_TRY(pml_linear_run(context, &net->head, &last, PML_ACTIVATION_IDENTITY, NULL, &y, error));
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
    const timesnet *net = pml_model_data(model);
    const size_t base = pml_context_mark(context);
    pml_tensor h;
    PML_TRY(embed(model, step, &h, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(run_layer(context, net, &net->layers[i], base, &h, error));
    }
    if (net->is_classifier) {
        PML_TRY(classify(model, step, &h, error));
    } else {
        PML_TRY(foretell(model, step, &h, error));
    }

done:
    return status;
}

extern const pml_model_family pml_model_timesnet;
const pml_model_family pml_model_timesnet = {
    .data_bytes = sizeof(timesnet),
    .load = load,
    .plan = plan,
    .begin = begin,
    .forward = forward,
};
