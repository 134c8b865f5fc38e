/* The inside of pml_model, for the files model*.c and forecast.c. */
#ifndef PML_RUNTIME_MODELS_MODEL_PRIVATE_H
#define PML_RUNTIME_MODELS_MODEL_PRIVATE_H

#include "runtime/models/adapter.h"
#include "runtime/models/window_scaler.h"

typedef struct pml_model_training pml_model_training; /* model_training.c */

/* A matrix with its adapter. */
typedef struct pml_adapted {
    const char *weight; /* the base file's name of it */
    char *a_name, *b_name;
    size_t n_in, n_out;
    pml_low_rank low_rank; /* its matrices are those of the adapter's file, or the trainer's */
    pml_buffer a_buffer, b_buffer;
    bool is_used; /* by a layer of the model */
} pml_adapted;

typedef struct pml_model_adapters {
    pml_adapter_recipe recipe;
    const pml_file *file; /* borrowed; NULL: they are being trained */
    pml_adapted *items;
    size_t count;
    char *names;
} pml_model_adapters;

struct pml_model {
    pml_file *file;
    const pml_schema *schema;
    const pml_model_family *family;
    void *data;
    pml_context context;
    bool has_bf16, has_i8, has_grouped_i8;

    pml_model_training *training; /* NULL: the model only runs */
    pml_model_adapters *adapters; /* NULL: none */

    size_t n_inputs, n_outputs;
    pml_model_port inputs[PML_MODEL_MAX_PORTS], outputs[PML_MODEL_MAX_PORTS];

    size_t n_tokens;                                       /* of the present run */
    size_t planned_batch, planned_tokens, planned_threads; /* that `plan` is for; batch 0: none */
    pml_model_plan plan;

    /* Of the last run. Data pointers are NULL unless it succeeded, and for an optional output that is not finite. */
    pml_array results[PML_MODEL_MAX_PORTS];
    bool output_is_taken[PML_MODEL_MAX_PORTS]; /* its scores are not there: pml_model_step_taken */
    size_t nonfinite[PML_MODEL_MAX_PORTS];     /* the first such element of that output */
    pml_tensor input_tensors[PML_MODEL_MAX_PORTS], output_tensors[PML_MODEL_MAX_PORTS];
    pml_buffer input_buffers[PML_MODEL_MAX_PORTS];

    /* pml_model_forecast's own inputs, kept from call to call. */
    float *forecast_values, *forecast_mask;
    size_t forecast_capacity;
    pml_window_units forecast_units;
};

/* What all ways of creation share. `training` and `adapters`, which may be NULL, are taken over, also on failure.
 * model.c */
pml_status pml_model_create_with(pml_file *file, const char *backend, pml_model_training *training,
                                 pml_model_adapters *adapters, pml_model **model, pml_error *error) PML_WARN_UNUSED;
/* adapter.c. plan: adapters of the matrices among `weights` that the recipe names and the filter lets through, without
 * values. Errors: ARGUMENT (a pattern that no matrix fits). check: after the family has loaded its layers. Errors:
 * UNSUPPORTED (a matrix that nothing uses as the family's layers do). */
pml_status pml_model_adapters_plan(const pml_file *file, const pml_weight_list *weights,
                                   const pml_adapter_recipe *recipe, pml_weight_filter_fn *filter, void *user,
                                   pml_model_adapters **adapters, pml_error *error) PML_WARN_UNUSED;
void pml_model_adapters_destroy(pml_model_adapters *adapters); /* NULL is allowed */
pml_status pml_model_adapters_check(const pml_model *model, pml_error *error) PML_WARN_UNUSED;
/* model_training.c: NULL is allowed; the weight's private copy, if there is one; the workspace that a recorded run has
 * turned out to need; what to do before and after a run. */
void pml_model_training_destroy(pml_model_training *training);
bool pml_model_training_weight(const pml_model_training *training, const char *name, pml_tensor *tensor);
void pml_model_training_begin(pml_model *model, size_t *workspace_bytes);
void pml_model_training_end(pml_model *model);

/* The index of the first value that is NaN or infinite; `count` when all are finite. model_run.c */
size_t pml_model_first_nonfinite(const float *values, size_t count);

#endif
