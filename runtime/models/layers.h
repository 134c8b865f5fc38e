/* Layers that families share: their weights by name, and their application. */
#ifndef PML_RUNTIME_MODELS_LAYERS_H
#define PML_RUNTIME_MODELS_LAYERS_H

#include "runtime/models/model.h"

typedef struct pml_linear {
    pml_tensor weight, bias;
    bool has_bias;
    const pml_low_rank *adapter; /* NULL: none */
} pml_linear;

/* "<name>.weight" and, if it has one, "<name>.bias", with the model's adapter of this weight. Errors: FORMAT, naming
 * the tensor. */
pml_status pml_linear_load(pml_model *model, const char *name, bool has_bias, pml_linear *linear,
                           pml_error *error) PML_WARN_UNUSED;
/* "<name>.weight" and "<name>.bias", with batch norms "<name>.mean" and "<name>.var" too. Errors: FORMAT, naming the
 * tensor. */
pml_status pml_norm_load(pml_model *model, const char *name, pml_norm_kind kind, double eps, pml_norm *norm,
                         pml_error *error) PML_WARN_UNUSED;

/* y = activation(linear(x)) + residual (NULL: none). Errors: those of pml_op_linear. */
pml_status pml_linear_run(pml_context *context, const pml_linear *linear, const pml_tensor *x,
                          pml_activation activation, const pml_tensor *residual, pml_tensor *y,
                          pml_error *error) PML_WARN_UNUSED;
/* The same of one x and several layers, without activation and residual: ys[i] = linears[i](x). At most
 * PML_LINEARS_MOST. Errors: those of pml_op_linears. */
#define PML_LINEARS_MOST 4u
pml_status pml_linears_run(pml_context *context, const pml_linear *const *linears, size_t n_linears,
                           const pml_tensor *x, pml_tensor *const *ys, pml_error *error) PML_WARN_UNUSED;
/* y = down(activation(up(x))) + residual (NULL: none). Errors: those of pml_op_feed_forward. */
pml_status pml_feed_forward_run(pml_context *context, const pml_linear *up, const pml_linear *down, const pml_tensor *x,
                                pml_activation activation, const pml_tensor *residual, pml_tensor *y,
                                pml_error *error) PML_WARN_UNUSED;

/* What training drops out of a layer's result, and of what lies inside it: probabilities. */
typedef struct pml_layer_dropout {
    double inner;  /* of activation(up(x)) */
    double result; /* of the result, before the residual */
    double again;  /* the same once more, where a source has two one after the other */
} pml_layer_dropout;
/* pml_linear_run without activation, with dropout. `inner` is ignored. Errors: those of the ops. */
pml_status pml_linear_drop_run(pml_context *context, const pml_linear *linear, const pml_tensor *x,
                               const pml_layer_dropout *dropout, const pml_tensor *residual, pml_tensor *y,
                               pml_error *error) PML_WARN_UNUSED;
/* pml_feed_forward_run with dropout. In evaluation, or with probabilities 0, they are those without. */
pml_status pml_feed_forward_drop_run(pml_context *context, const pml_linear *up, const pml_linear *down,
                                     const pml_tensor *x, pml_activation activation, const pml_layer_dropout *dropout,
                                     const pml_tensor *residual, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

#endif
