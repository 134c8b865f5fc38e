/* PatchTST: what the heads make of the encoder's output. */
#include <float.h>
#include <math.h>

#include "runtime/models/patchtst/patchtst.h"

#define AFFINE_FLOOR 1e-10 /* added to the learned scale before it divides: the square of upstream's eps */

/* How an argument of a distribution is brought into its domain. */
typedef enum argument_domain {
    DOMAIN_REAL,
    DOMAIN_POSITIVE, /* squareplus, at least the machine epsilon of F32 */
    DOMAIN_COUNT,    /* squareplus */
    DOMAIN_ABOVE_TWO /* 2 + squareplus */
} argument_domain;

typedef struct argument {
    const char *port;
    argument_domain domain;
} argument;

static const argument arguments[][PATCHTST_MAX_ARGUMENTS] = {
    [PATCHTST_STUDENT_T] = {{"df", DOMAIN_ABOVE_TWO}, {"dist_loc", DOMAIN_REAL}, {"dist_scale", DOMAIN_POSITIVE}},
    [PATCHTST_NORMAL] = {{"dist_loc", DOMAIN_REAL}, {"dist_scale", DOMAIN_POSITIVE}},
    [PATCHTST_NEGATIVE_BINOMIAL] = {{"dist_loc", DOMAIN_COUNT}, {"dist_scale", DOMAIN_REAL}},
};

/* Storage of the result of one projection. */
static size_t result_bytes(const patchtst *net, size_t n_samples) {
    switch (net->head) {
    case PATCHTST_HEAD_PREDICTION:
        return PML_FLOATS(n_samples, net->horizon, net->n_channels);
    case PATCHTST_HEAD_PRETRAINING:
        return PML_FLOATS(n_samples, net->n_channels, net->n_patches, net->patch_length);
    case PATCHTST_HEAD_CLASSIFICATION:
    case PATCHTST_HEAD_REGRESSION:
        return PML_FLOATS(n_samples, net->n_targets);
    default:
        return 0;
    }
}

size_t pml_patchtst_head_bytes(const patchtst *net, size_t n_samples) {
    /* What is pooled or cut out of h; per projection its result, mapped and transposed; the forecast, or what comes
     * of it before its scale. */
    size_t bytes = PML_FLOATS(n_samples, net->n_channels, net->n_tokens, net->d_model);
    const size_t each = result_bytes(net, n_samples);
    for (size_t i = 0; i < 3 * net->n_head_outputs + 2; i++) {
        bytes = PML_SUM(bytes, each);
    }
    return bytes;
}

/* y [b, C, features]: the first token, the pooled tokens, or all of them side by side (token-major), of which training
 * drops some. */
static pml_status reduce_tokens(pml_context *context, const patchtst *net, const pml_tensor *h, pml_tensor *y,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor reduced = *h;
    if (net->use_cls_token) {
        PML_TRY(pml_op_slice(context, h, 0, 1, &reduced, error));
    } else if (net->pooling == PATCHTST_LAST) {
        PML_TRY(pml_op_slice(context, h, net->n_tokens - 1, 1, &reduced, error));
    } else if (net->pooling != PATCHTST_FLATTEN) {
        PML_TRY(pml_op_pool(context, h, net->pooling == PATCHTST_MEAN ? PML_POOL_MEAN : PML_POOL_MAX, &reduced, error));
    }
    const size_t features = pml_tensor_count(&reduced) / (h->shape[0] * h->shape[1]);
    const size_t shape[] = {h->shape[0], h->shape[1], features};
    pml_tensor side_by_side;
    PML_TRY(pml_tensor_reshape_view(&reduced, shape, 3, &side_by_side, error));
    PML_TRY(pml_op_dropout(context, &side_by_side, net->drops_forecast ? 0 : net->head_dropout, y, error));

done:
    return status;
}

static pml_status map_domain(pml_context *context, argument_domain domain, pml_tensor *x, pml_error *error) {
    pml_tensor mapped;
    if (domain == DOMAIN_REAL) {
        return PML_OK;
    }
    pml_status status = pml_op_squareplus(context, x, domain == DOMAIN_ABOVE_TWO ? 2.0 : 0.0,
                                          domain == DOMAIN_POSITIVE ? (double)FLT_EPSILON : 0.0, &mapped, error);
    if (status == PML_OK) {
        *x = mapped;
    }
    return status;
}

/* Mean of a negative binomial whose logits grow by log(scale): count * exp(logits) * scale. [b, S, C] */
static pml_status mean_count(pml_context *context, const pml_tensor *count, const pml_tensor *logits,
                             const pml_tensor *scale, pml_tensor *mean, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, count->shape, count->rank, mean, error));
    const float *counts = pml_tensor_f32_const(count), *exponents = pml_tensor_f32_const(logits);
    const double *scales = pml_tensor_bytes(scale);
    float *means = pml_tensor_f32(mean);
    size_t n_steps = count->shape[1], n_channels = count->shape[2];
    for (size_t i = 0, n = pml_tensor_count(count); i < n; i++) {
        size_t i_scale = i / (n_steps * n_channels) * n_channels + i % n_channels;
        means[i] = (float)((double)counts[i] * exp((double)exponents[i]) * scales[i_scale]);
    }

done:
    return status;
}

/* y [b, S, C] in the input's units. */
static pml_status restore_units(pml_context *context, const patchtst *net, const patchtst_pass *pass,
                                const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor plain = *x;
    if (net->scaling_affine) {
        PML_TRY(pml_op_unscale_columns(context, x, &pass->network->scaling_weight, &pass->network->scaling_bias,
                                       AFFINE_FLOOR, &plain, error));
    }
    PML_TRY(pml_op_instance_denormalize(context, &plain, &pass->loc, &pass->scale, y, error));

done:
    return status;
}

static pml_status run_prediction(pml_model *model, const pml_model_step *step, const patchtst_pass *pass,
                                 const pml_tensor *h, pml_tensor *part, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    pml_tensor features, results[PATCHTST_MAX_ARGUMENTS], forecast;
    PML_TRY(reduce_tokens(context, net, h, &features, error));
    for (size_t i = 0; i < net->n_head_outputs; i++) {
        pml_tensor projected; /* [b, C, S] */
        PML_TRY(pml_linear_run(context, &pass->network->heads[i], &features, PML_ACTIVATION_IDENTITY, NULL, &projected,
                               error));
        PML_TRY(pml_op_dropout(context, &projected, net->drops_forecast ? net->head_dropout : 0, &projected, error));
        PML_TRY(pml_op_transpose(context, &projected, &results[i], error));
        if (net->distribution != PATCHTST_POINT) {
            PML_TRY(map_domain(context, arguments[net->distribution][i].domain, &results[i], error));
            PML_TRY(pml_model_step_store(model, step, arguments[net->distribution][i].port, &results[i], error));
        }
    }
    if (net->distribution == PATCHTST_NEGATIVE_BINOMIAL) {
        PML_TRY(mean_count(context, &results[0], &results[1], &pass->scale, &forecast, error));
    } else {
        /* The location is the mean; student_t has it second. */
        const pml_tensor *location = &results[net->distribution == PATCHTST_STUDENT_T ? 1 : 0];
        PML_TRY(pml_model_step_store(model, step, "scaled_outputs", location, error));
        PML_TRY(restore_units(context, net, pass, location, &forecast, error));
    }
    if (part != NULL) {
        *part = forecast;
        goto done;
    }
    PML_TRY(pml_model_step_store(model, step, net->distribution == PATCHTST_POINT ? "prediction_outputs" : "forecast",
                                 &forecast, error));

done:
    return status;
}

static pml_status run_pretraining(pml_model *model, const pml_model_step *step, const patchtst_pass *pass,
                                  const pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    pml_tensor tokens = *h, patches;
    if (net->use_cls_token) {
        PML_TRY(pml_op_slice(context, h, 1, net->n_patches, &tokens, error));
    }
    PML_TRY(pml_op_dropout(context, &tokens, net->head_dropout, &tokens, error));
    PML_TRY(pml_linear_run(context, &pass->network->heads[0], &tokens, PML_ACTIVATION_IDENTITY, NULL, &patches, error));
    if (net->patches_first) {
        pml_tensor swapped;
        PML_TRY(pml_op_swap_axes(context, &patches, 1, &swapped, error));
        patches = swapped;
    }
    PML_TRY(pml_model_step_store(model, step, "prediction_output", &patches, error));

done:
    return status;
}

/* Classification and regression: one vector per sample. */
static pml_status run_targets(pml_model *model, const pml_model_step *step, const patchtst_pass *pass,
                              const pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const patchtst *net = pml_model_data(model);
    pml_tensor features, flat, result;
    PML_TRY(reduce_tokens(context, net, h, &features, error));
    const size_t shape[] = {features.shape[0], features.shape[1] * features.shape[2]};
    PML_TRY(pml_tensor_reshape_view(&features, shape, 2, &flat, error));
    const bool is_regression = net->head == PATCHTST_HEAD_REGRESSION;
    if (net->distribution != PATCHTST_POINT) {
        for (size_t i = 0; i < net->n_head_outputs; i++) {
            PML_TRY(pml_linear_run(context, &pass->network->heads[i], &flat, PML_ACTIVATION_IDENTITY, NULL, &result,
                                   error));
            PML_TRY(map_domain(context, arguments[net->distribution][i].domain, &result, error));
            PML_TRY(pml_model_step_store(model, step, arguments[net->distribution][i].port, &result, error));
        }
    } else if (is_regression && net->has_output_range) {
        pml_tensor unit;
        PML_TRY(pml_linear_run(context, &pass->network->heads[0], &flat, PML_ACTIVATION_SIGMOID, NULL, &unit, error));
        PML_TRY(pml_op_affine(context, &unit, net->output_range[1] - net->output_range[0], net->output_range[0],
                              &result, error));
        PML_TRY(pml_model_step_store(model, step, "regression_outputs", &result, error));
    } else {
        PML_TRY(
            pml_linear_run(context, &pass->network->heads[0], &flat, PML_ACTIVATION_IDENTITY, NULL, &result, error));
        PML_TRY(pml_model_step_store(model, step, is_regression ? "regression_outputs" : "prediction_logits", &result,
                                     error));
    }

done:
    return status;
}

pml_status pml_patchtst_run_head(pml_model *model, const pml_model_step *step, const patchtst_pass *pass,
                                 const pml_tensor *h, pml_tensor *forecast, pml_error *error) {
    const patchtst *net = pml_model_data(model);
    switch (net->head) {
    case PATCHTST_HEAD_PREDICTION:
        return run_prediction(model, step, pass, h, forecast, error);
    case PATCHTST_HEAD_PRETRAINING:
        return run_pretraining(model, step, pass, h, error);
    case PATCHTST_HEAD_CLASSIFICATION:
    case PATCHTST_HEAD_REGRESSION:
        return run_targets(model, step, pass, h, error);
    default:
        return pml_model_step_store(model, step, "last_hidden_state", h, error);
    }
}
