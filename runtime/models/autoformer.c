/* Autoformer: AutoCorrelation in the network of runtime/models/seasonal.h (specs/models/autoformer.md). */
#include <math.h>

#include "runtime/models/seasonal.h"

typedef struct autoformer {
    pml_seasonal net;
    size_t correlation_factor;
    bool rounds_correlations;
} autoformer;

/* int(factor * ln n), as the network counts delays, of those that there are. */
static size_t count_delays(const autoformer *data, size_t n_steps) {
    const size_t n = (size_t)((double)data->correlation_factor * log((double)n_steps));
    const size_t n_lags = data->rounds_correlations && n_steps % 2 == 1 && n_steps > 1 ? n_steps - 1 : n_steps;
    return n < 1 ? 1 : n > n_lags ? n_lags : n;
}

static size_t steps_at(const pml_seasonal *net, pml_seasonal_place place) {
    return place == PML_SEASONAL_ENCODER ? net->context_length : net->label_length + net->horizon;
}

static size_t source_steps_at(const pml_seasonal *net, pml_seasonal_place place) {
    return place == PML_SEASONAL_DECODER ? net->label_length + net->horizon : net->context_length;
}

static pml_status attend(pml_model *model, const pml_seasonal_attention *attention, pml_seasonal_place place,
                         const pml_tensor *x, const pml_tensor *source, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const autoformer *data = pml_model_data(model);
    const pml_autocorrelation_options options = {
        .n_delays = count_delays(data, steps_at(&data->net, place)),
        .share_delays = context->batch_wide,
        .is_rounded = data->rounds_correlations,
    };
    pml_tensor q, k, v;
    PML_TRY(pml_linear_run(context, &attention->q, x, PML_ACTIVATION_IDENTITY, NULL, &q, error));
    PML_TRY(pml_linear_run(context, &attention->k, source, PML_ACTIVATION_IDENTITY, NULL, &k, error));
    PML_TRY(pml_linear_run(context, &attention->v, source, PML_ACTIVATION_IDENTITY, NULL, &v, error));
    PML_TRY(pml_op_autocorrelation(context, &q, &k, &v, &options, y, error));

done:
    return status;
}

static size_t attend_bytes(const pml_model *model, pml_seasonal_place place, size_t n_samples) {
    const pml_seasonal *net = &((const autoformer *)pml_model_data(model))->net;
    const size_t n_steps = steps_at(net, place), n_source = source_steps_at(net, place);
    const size_t features = PML_FLOATS(n_samples, n_steps, net->d_model);
    const size_t sources = PML_FLOATS(n_samples, n_source, net->d_model);
    return PML_SUM(features, features, sources, sources, pml_autocorrelation_work_bytes(n_samples, n_steps));
}

static pml_status load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    autoformer *data = pml_model_data(model);
    pml_seasonal *net = &data->net;
    pml_seasonal_split split = {.n_kernels = 1};
    PML_TRY(pml_seasonal_load(model, net, error));
    PML_TRY(pml_model_config_size(model, "decomposition_kernel", &split.kernels[0], error));
    PML_TRY(pml_model_config_size(model, "correlation_factor", &data->correlation_factor, error));
    PML_TRY(pml_model_eval_flag(model, "rounds_correlations", &data->rounds_correlations, error));
    net->split = split;
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < net->n_encoder_layers; i++) {
            net->encoder_layers[i].splits[k] = split;
        }
        for (size_t i = 0; i < net->n_decoder_layers; i++) {
            net->decoder_layers[i].splits[k] = split;
        }
    }
    net->attend = attend;
    net->attend_bytes = attend_bytes;

done:
    return status;
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    (void)error;
    const pml_seasonal *net = &((const autoformer *)pml_model_data(model))->net;
    const size_t block =
        pml_model_is_batch_wide(model) ? batch : pml_model_block(model, batch, pml_seasonal_bytes(model, net, 1));
    *result = (pml_model_plan){.block = block, .workspace_bytes = pml_seasonal_bytes(model, net, block)};
    return PML_OK;
}

static pml_status forward(pml_model *model, const pml_model_step *step, pml_error *error) {
    return pml_seasonal_forward(model, &((const autoformer *)pml_model_data(model))->net, step, error);
}

extern const pml_model_family pml_model_autoformer;
const pml_model_family pml_model_autoformer = {
    .data_bytes = sizeof(autoformer),
    .load = load,
    .plan = plan,
    .forward = forward,
};
