/* PatchTST: scaling and decomposition of windows, and the storage that a forward needs. */
#include "runtime/models/patchtst/patchtst.h"

#define STD_FLOOR 1e-5   /* added to the variance of a window */
#define MEAN_FLOOR 1e-10 /* least mean magnitude of a window */

/* Storage of one forward. */
static size_t forward_bytes(const patchtst *net, size_t n_samples) {
    size_t encoder = pml_patchtst_encoder_bytes(net, n_samples);
    size_t hidden = PML_FLOATS(n_samples, net->n_channels, net->n_tokens, net->d_model);
    size_t head = PML_SUM(hidden, pml_patchtst_head_bytes(net, n_samples));
    size_t bytes = head > encoder ? head : encoder;
    if (net->decomposition_kernel > 0) { /* the trend, the remainder; two forecasts and their sum */
        size_t window = PML_FLOATS(n_samples, net->context_length, net->n_channels);
        size_t forecast = PML_FLOATS(n_samples, net->horizon, net->n_channels);
        bytes = PML_SUM(bytes, window, window, forecast, forecast, forecast);
    }
    return bytes;
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    (void)error;
    const patchtst *net = pml_model_data(model);
    result->block = pml_model_block(model, batch, forward_bytes(net, 1));
    result->workspace_bytes = forward_bytes(net, result->block);
    /* Statistics of the batch, or of both parts of every block. */
    const size_t n_blocks = batch / result->block + (batch % result->block != 0);
    const size_t n_statistics = net->decomposition_kernel > 0 ? 2 * n_blocks : 1;
    const size_t each = pml_instance_bytes(net->decomposition_kernel > 0 ? result->block : batch, net->n_channels);
    const size_t mask =
        net->head != PATCHTST_HEAD_PRETRAINING ? 0 : PML_FLOATS(batch, net->n_channels, net->n_patches, 1);
    result->step_bytes = PML_SUM(each > SIZE_MAX / n_statistics ? SIZE_MAX : each * n_statistics, mask,
                                 pml_context_bytes(1, sizeof(pml_buffer)));
    return PML_OK;
}

static pml_status begin(pml_model *model, const pml_model_step *step, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    patchtst *net = pml_model_data(model);
    net->mask = (pml_tensor){0};
    if (context->masking != NULL && net->head == PATCHTST_HEAD_PRETRAINING) {
        PML_TRY(pml_patchtst_draw_mask(context, net, context->masking, step->batch, &net->mask, error));
    }
    if (net->decomposition_kernel == 0) { /* otherwise each part of a window has statistics of its own */
        PML_TRY(pml_op_instance_statistics(context, pml_model_step_input(model, step, "past_values"),
                                           pml_model_step_input(model, step, "past_observed_mask"), net->scaling,
                                           net->scaling == PML_INSTANCE_MEAN ? MEAN_FLOOR : STD_FLOOR, &net->loc,
                                           &net->scale, error));
    }

done:
    return status;
}

static pml_status run_plain(pml_model *model, const pml_model_step *step, pml_error *error) {
    pml_status status = PML_OK;
    const patchtst *net = pml_model_data(model);
    const patchtst_pass pass = {.network = &net->networks[0],
                                .x = *pml_model_step_input(model, step, "past_values"),
                                .loc = pml_model_rows(&net->loc, step->first, step->count),
                                .scale = pml_model_rows(&net->scale, step->first, step->count)};
    pml_tensor h;
    PML_TRY(pml_model_step_store(model, step, "loc", &pass.loc, error));
    PML_TRY(pml_model_step_store(model, step, "scale", &pass.scale, error));
    PML_TRY(pml_patchtst_encode(model, step, &pass, &h, error));
    PML_TRY(pml_patchtst_run_head(model, step, &pass, &h, NULL, error));

done:
    return status;
}

/* One part of a decomposed window [b, T, C] through its network, scaled by its own statistics. */
static pml_status run_part(pml_model *model, const pml_model_step *step, const patchtst_network *network,
                           const pml_tensor *x, pml_tensor *forecast, pml_error *error) {
    pml_status status = PML_OK;
    const patchtst *net = pml_model_data(model);
    const size_t base = pml_context_mark(pml_model_context(model));
    patchtst_pass pass = {.network = network, .x = *x};
    pml_tensor h;
    PML_TRY(pml_op_instance_statistics(pml_model_context(model), x, NULL, net->scaling, STD_FLOOR, &pass.loc,
                                       &pass.scale, error));
    PML_TRY(pml_patchtst_encode(model, step, &pass, &h, error));
    PML_TRY(pml_patchtst_run_head(model, step, &pass, &h, forecast, error));
    pml_context_release(pml_model_context(model), base, forecast);

done:
    return status;
}

static pml_status run_decomposed(pml_model *model, const pml_model_step *step, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    const pml_tensor *x = pml_model_step_input(model, step, "past_values");
    pml_tensor trend, rest, forecasts[2], forecast;
    PML_TRY(pml_op_decompose(context, x, net->decomposition_kernel, &rest, &trend, error));
    PML_TRY(run_part(model, step, &net->networks[0], &rest, &forecasts[0], error));
    PML_TRY(run_part(model, step, &net->networks[1], &trend, &forecasts[1], error));
    PML_TRY(pml_op_add(context, &forecasts[0], &forecasts[1], &forecast, error));
    PML_TRY(pml_model_step_store(model, step, "prediction_outputs", &forecast, error));

done:
    return status;
}

static pml_status forward(pml_model *model, const pml_model_step *step, pml_error *error) {
    const patchtst *net = pml_model_data(model);
    return net->decomposition_kernel > 0 ? run_decomposed(model, step, error) : run_plain(model, step, error);
}

extern const pml_model_family pml_model_patchtst;
const pml_model_family pml_model_patchtst = {
    .data_bytes = sizeof(patchtst),
    .load = pml_patchtst_load,
    .plan = plan,
    .begin = begin,
    .forward = forward,
};
