#include "runtime/models/layers.h"

pml_status pml_linear_load(pml_model *model, const char *name, bool has_bias, pml_linear *linear, pml_error *error) {
    pml_status status = PML_OK;
    linear->has_bias = has_bias;
    PML_TRY(pml_model_weight(model, &linear->weight, error, "%s.weight", name));
    if (has_bias) {
        PML_TRY(pml_model_weight(model, &linear->bias, error, "%s.bias", name));
    }

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

pml_status pml_linear_run(pml_context *context, const pml_linear *linear, const pml_tensor *x,
                          pml_activation activation, const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    return pml_op_linear(context, x, &linear->weight, linear->has_bias ? &linear->bias : NULL, activation, residual, y,
                         error);
}
