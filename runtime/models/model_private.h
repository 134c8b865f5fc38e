/* The inside of pml_model, for the files model*.c and forecast.c. */
#ifndef PML_RUNTIME_MODELS_MODEL_PRIVATE_H
#define PML_RUNTIME_MODELS_MODEL_PRIVATE_H

#include "runtime/models/model.h"
#include "runtime/models/window_scaler.h"

typedef struct pml_model_training pml_model_training; /* model_training.c */

struct pml_model {
    pml_file *file;
    const pml_schema *schema;
    const pml_model_family *family;
    void *data;
    pml_context context;
    bool has_bf16, has_i8, has_grouped_i8;

    pml_model_training *training; /* NULL: the model only runs */

    size_t n_inputs, n_outputs;
    pml_model_port inputs[PML_MODEL_MAX_PORTS], outputs[PML_MODEL_MAX_PORTS];

    size_t n_tokens;                                       /* of the present run */
    size_t planned_batch, planned_tokens, planned_threads; /* that `plan` is for; batch 0: none */
    pml_model_plan plan;

    /* Of the last run. Data pointers are NULL unless it succeeded, and for an optional output that is not finite. */
    pml_array results[PML_MODEL_MAX_PORTS];
    size_t nonfinite[PML_MODEL_MAX_PORTS]; /* the first such element of that output */
    pml_tensor input_tensors[PML_MODEL_MAX_PORTS], output_tensors[PML_MODEL_MAX_PORTS];
    pml_buffer input_buffers[PML_MODEL_MAX_PORTS];

    /* pml_model_forecast's own inputs, kept from call to call. */
    float *forecast_values, *forecast_mask;
    size_t forecast_capacity;
    pml_window_units forecast_units;
};

/* What both halves of creation share. `training` is taken over, also on failure. model.c */
pml_status pml_model_create_with(pml_file *file, const char *backend, pml_model_training *training, pml_model **model,
                                 pml_error *error) PML_WARN_UNUSED;
/* model_training.c: NULL is allowed; the weight's private copy, if there is one; the workspace that a recorded run has
 * turned out to need; what to do before and after a run. */
void pml_model_training_destroy(pml_model_training *training);
bool pml_model_training_weight(const pml_model_training *training, const char *name, pml_tensor *tensor);
void pml_model_training_begin(pml_model *model, size_t *workspace_bytes);
void pml_model_training_end(pml_model *model);

/* The index of the first value that is NaN or infinite; `count` when all are finite. model_run.c */
size_t pml_model_first_nonfinite(const float *values, size_t count);

#endif
