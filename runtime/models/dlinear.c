/* DLinear, NLinear and Linear, as specs/models/dlinear.md describes them. */
#include "runtime/models/layers.h"

typedef enum dlinear_kind { DLINEAR, NLINEAR, LINEAR } dlinear_kind;

typedef struct dlinear {
    dlinear_kind kind;
    bool is_classifier;
    size_t context_length, output_length, kernel, n_targets;
    pml_linear seasonal, trend, linear, classifier; /* those that `kind` and the head have */
    pml_tensor loc, scale;                          /* F64 [B, 1, C] of the current run, NLINEAR only */
} dlinear;

static pml_status load(pml_model *model, pml_error *error) {
    static const char *const kinds[] = {"dlinear", "nlinear", "linear", NULL};
    pml_status status = PML_OK;
    dlinear *net = pml_model_data(model);
    size_t kind;
    PML_TRY(pml_model_config_choice(model, "kind", kinds, &kind, error));
    net->kind = (dlinear_kind)kind;
    PML_TRY(pml_model_config_size(model, "context_length", &net->context_length, error));
    PML_TRY(pml_model_eval_size(model, "output_length", &net->output_length, error));
    PML_TRY(pml_model_eval_size(model, "decomposition_kernel", &net->kernel, error));
    PML_TRY(pml_model_eval_size(model, "num_targets", &net->n_targets, error));
    PML_TRY(pml_model_eval_flag(model, "is_classifier", &net->is_classifier, error));
    if (net->kind == DLINEAR) {
        PML_TRY(pml_linear_load(model, "seasonal", true, &net->seasonal, error));
        PML_TRY(pml_linear_load(model, "trend", true, &net->trend, error));
    } else {
        PML_TRY(pml_linear_load(model, "linear", true, &net->linear, error));
    }
    if (net->is_classifier) {
        PML_TRY(pml_linear_load(model, "classifier", true, &net->classifier, error));
    }
done:
    return status;
}

static size_t n_channels(const pml_model *model) {
    const pml_model_port *port = pml_model_find_input(model, "past_values");
    return port->token_axis != 0 ? pml_model_n_tokens(model) : port->shape[2];
}

/* Storage of one forward. */
static size_t forward_bytes(const dlinear *net, size_t n_samples, size_t channels) {
    const size_t window = PML_FLOATS(n_samples, net->context_length, channels);
    const size_t output = PML_FLOATS(n_samples, net->output_length, channels);
    /* Both parts and their transposes, or one of each; their outputs, and the last one turned back. */
    return PML_SUM(window, window, window, window, output, output, output, PML_FLOATS(n_samples, net->n_targets));
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    (void)error;
    const dlinear *net = pml_model_data(model);
    const size_t channels = n_channels(model);
    result->block = pml_model_block(model, batch, forward_bytes(net, 1, channels));
    result->workspace_bytes = forward_bytes(net, result->block, channels);
    result->step_bytes = net->kind == NLINEAR ? pml_instance_bytes(batch, channels) : 0;
    return PML_OK;
}

static pml_status begin(pml_model *model, const pml_model_step *step, pml_error *error) {
    dlinear *net = pml_model_data(model);
    if (net->kind != NLINEAR) {
        return PML_OK;
    }
    return pml_op_instance_statistics(pml_model_context(model), pml_model_step_input(model, step, "past_values"), NULL,
                                      PML_INSTANCE_LAST, 0, &net->loc, &net->scale, error);
}

/* y [b, C, S] of both parts of x [b, T, C]. */
static pml_status run_parts(pml_model *model, const pml_model_step *step, const pml_tensor *x, pml_tensor *y,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const dlinear *net = pml_model_data(model);
    pml_tensor seasonal, trend, by_channel, trend_by_channel, part;
    PML_TRY(pml_op_decompose(context, x, net->kernel, &seasonal, &trend, error));
    pml_context_show(context, "seasonal", step->first, &seasonal);
    pml_context_show(context, "trend", step->first, &trend);
    PML_TRY(pml_op_transpose(context, &seasonal, &by_channel, error));
    PML_TRY(pml_op_transpose(context, &trend, &trend_by_channel, error));
    PML_TRY(pml_linear_run(context, &net->seasonal, &by_channel, PML_ACTIVATION_IDENTITY, NULL, &part, error));
    PML_TRY(pml_linear_run(context, &net->trend, &trend_by_channel, PML_ACTIVATION_IDENTITY, &part, y, error));
done:
    return status;
}

/* y [b, C, S] of x [b, T, C] as it is, or, with NLINEAR, of its differences from its last step. */
static pml_status run_whole(pml_model *model, const pml_model_step *step, const pml_tensor *x, pml_tensor *y,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const dlinear *net = pml_model_data(model);
    pml_tensor window = *x, by_channel;
    if (net->kind == NLINEAR) {
        const pml_tensor loc = pml_model_rows(&net->loc, step->first, step->count);
        const pml_tensor scale = pml_model_rows(&net->scale, step->first, step->count);
        PML_TRY(pml_op_instance_normalize(context, x, &loc, &scale, &window, error));
    }
    PML_TRY(pml_op_transpose(context, &window, &by_channel, error));
    PML_TRY(pml_linear_run(context, &net->linear, &by_channel, PML_ACTIVATION_IDENTITY, NULL, y, error));
done:
    return status;
}

static pml_status forward(pml_model *model, const pml_model_step *step, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const dlinear *net = pml_model_data(model);
    const pml_tensor *x = pml_model_step_input(model, step, "past_values");
    pml_tensor by_channel, y, logits;
    if (net->kind == DLINEAR) {
        PML_TRY(run_parts(model, step, x, &by_channel, error));
    } else {
        PML_TRY(run_whole(model, step, x, &by_channel, error));
    }
    PML_TRY(pml_op_transpose(context, &by_channel, &y, error));
    if (net->kind == NLINEAR) {
        const pml_tensor differences = y, loc = pml_model_rows(&net->loc, step->first, step->count);
        const pml_tensor scale = pml_model_rows(&net->scale, step->first, step->count);
        PML_TRY(pml_op_instance_denormalize(context, &differences, &loc, &scale, &y, error));
    }
    if (net->is_classifier) { /* features t * C + c of a window, as y has them */
        y.rank = 2;
        y.shape[1] *= y.shape[2];
        PML_TRY(pml_linear_run(context, &net->classifier, &y, PML_ACTIVATION_IDENTITY, NULL, &logits, error));
        PML_TRY(pml_model_step_store(model, step, "prediction_logits", &logits, error));
    }
    PML_TRY(pml_model_step_store(model, step, "prediction_outputs", &y, error));
    PML_TRY(pml_model_step_store(model, step, "reconstruction", &y, error));
done:
    return status;
}

extern const pml_model_family pml_model_dlinear;
const pml_model_family pml_model_dlinear = {
    .data_bytes = sizeof(dlinear),
    .load = load,
    .plan = plan,
    .begin = begin,
    .forward = forward,
};
