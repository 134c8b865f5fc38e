#include "runtime/models/layers.h"

pml_status pml_linear_load(pml_model *model, const char *name, bool has_bias, pml_linear *linear, pml_error *error) {
    pml_status status = PML_OK;
    linear->has_bias = has_bias;
    PML_TRY(pml_model_weight(model, &linear->weight, error, "%s.weight", name));
    if (has_bias) {
        PML_TRY(pml_model_weight(model, &linear->bias, error, "%s.bias", name));
    }
    linear->adapter = pml_model_adapter(model, name);

done:
    return status;
}

pml_status pml_norm_load(pml_model *model, const char *name, pml_norm_kind kind, double eps, pml_norm *norm,
                         pml_error *error) {
    pml_status status = PML_OK;
    norm->kind = kind;
    norm->eps = eps;
    PML_TRY(pml_model_weight(model, &norm->weight, error, "%s.weight", name));
    PML_TRY(pml_model_weight(model, &norm->bias, error, "%s.bias", name));
    if (kind == PML_NORM_BATCH) {
        PML_TRY(pml_model_weight(model, &norm->mean, error, "%s.mean", name));
        PML_TRY(pml_model_weight(model, &norm->variance, error, "%s.var", name));
    }

done:
    return status;
}

static const pml_tensor *bias_of(const pml_linear *linear) {
    return linear->has_bias ? &linear->bias : NULL;
}

pml_status pml_linear_run(pml_context *context, const pml_linear *linear, const pml_tensor *x,
                          pml_activation activation, const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    const pml_linear_part part = {.w = &linear->weight,
                                  .bias = bias_of(linear),
                                  .activation = activation,
                                  .residual = residual,
                                  .adapter = linear->adapter,
                                  .y = y};
    return pml_op_linears(context, x, &part, 1, error);
}

pml_status pml_linears_run(pml_context *context, const pml_linear *const *linears, size_t n_linears,
                           const pml_tensor *x, pml_tensor *const *ys, pml_error *error) {
    pml_linear_part parts[PML_LINEARS_MOST];
    if (n_linears > PML_LINEARS_MOST) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%zu matrices at once are more than %u", n_linears, PML_LINEARS_MOST);
    }
    for (size_t i = 0; i < n_linears; i++) {
        parts[i] = (pml_linear_part){
            .w = &linears[i]->weight, .bias = bias_of(linears[i]), .adapter = linears[i]->adapter, .y = ys[i]};
    }
    return pml_op_linears(context, x, parts, n_linears, error);
}

pml_status pml_feed_forward_run(pml_context *context, const pml_linear *up, const pml_linear *down, const pml_tensor *x,
                                pml_activation activation, const pml_tensor *residual, pml_tensor *y,
                                pml_error *error) {
    return pml_feed_forward_drop_run(context, up, down, x, activation, &(pml_layer_dropout){0}, residual, y, error);
}

/* y = drop(x) + residual, for what a layer has computed without it. */
static pml_status finish(pml_context *context, const pml_tensor *x, const pml_layer_dropout *dropout,
                         const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor once, dropped;
    PML_TRY(pml_op_dropout(context, x, dropout->result, &once, error));
    PML_TRY(pml_op_dropout(context, &once, dropout->again, &dropped, error));
    if (residual != NULL) {
        PML_TRY(pml_op_add(context, &dropped, residual, y, error));
    } else {
        *y = dropped;
    }

done:
    return status;
}

static bool drops_result(const pml_context *context, const pml_layer_dropout *dropout) {
    return context->training != NULL && (dropout->result > 0 || dropout->again > 0);
}

pml_status pml_linear_drop_run(pml_context *context, const pml_linear *linear, const pml_tensor *x,
                               const pml_layer_dropout *dropout, const pml_tensor *residual, pml_tensor *y,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor plain;
    if (!drops_result(context, dropout)) {
        PML_TRY(pml_linear_run(context, linear, x, PML_ACTIVATION_IDENTITY, residual, y, error));
        goto done;
    }
    PML_TRY(pml_linear_run(context, linear, x, PML_ACTIVATION_IDENTITY, NULL, &plain, error));
    PML_TRY(finish(context, &plain, dropout, residual, y, error));

done:
    return status;
}

pml_status pml_feed_forward_drop_run(pml_context *context, const pml_linear *up, const pml_linear *down,
                                     const pml_tensor *x, pml_activation activation, const pml_layer_dropout *dropout,
                                     const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const bool drops = drops_result(context, dropout);
    const pml_feed_forward layer = {.up = &up->weight,
                                    .up_bias = bias_of(up),
                                    .down = &down->weight,
                                    .down_bias = bias_of(down),
                                    .activation = activation,
                                    .residual = drops ? NULL : residual,
                                    .dropout = dropout->inner,
                                    .up_adapter = up->adapter,
                                    .down_adapter = down->adapter};
    pml_tensor plain;
    PML_TRY(pml_op_feed_forward(context, x, &layer, drops ? &plain : y, error));
    if (drops) {
        PML_TRY(finish(context, &plain, dropout, residual, y, error));
    }

done:
    return status;
}
