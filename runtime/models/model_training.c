/* What training adds to a model: parameters, modes and the pass back over the recorded run. */
#include "runtime/models/training.h"

#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/random.h"
#include "runtime/models/model_private.h"
#include "runtime/ops/repack.h"

/* What adapters begin as is drawn from streams of their own (specs/training.md). */
#define ADAPTER_STREAM ((uint64_t)0xad << 56)

struct pml_model_training {
    pml_parameter *parameters;
    pml_buffer *buffers; /* of each parameter */
    pml_leaf *leaves;    /* those that are learned */
    size_t *of_leaf;     /* their parameters */
    size_t n_parameters, n_learned;
    float *values, *gradients; /* of all */
    size_t gradients_count;
    pml_training mode;
    pml_training evaluation; /* what evaluations draw: the same each time */
    pml_tape tape;
    pml_gradients *pass;
    bool is_recorded;                                          /* the tape holds the last run */
    size_t workspace_bytes, workspace_batch, workspace_tokens; /* what a recorded run of that size took */
};

void pml_model_training_destroy(pml_model_training *training) {
    if (training != NULL) {
        pml_gradients_destroy(training->pass);
        pml_tape_deinit(&training->tape);
        pml_free(training->parameters);
        pml_free(training->buffers);
        pml_free(training->leaves);
        pml_free(training->of_leaf);
        pml_free(training->values);
        pml_free(training->gradients);
        pml_free(training);
    }
}

/* ---- parameters ---- */
static pml_tensor tensor_of(const pml_model_training *training, size_t i) {
    const pml_parameter *parameter = &training->parameters[i];
    pml_tensor tensor = {
        .dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_ROW, .rank = parameter->rank, .buffer = &training->buffers[i]};
    memcpy(tensor.shape, parameter->shape, sizeof tensor.shape);
    return tensor;
}

typedef struct choice {
    const pml_schema *schema;
    const pml_metadata *metadata;
    const pml_trainable_options *options;
} choice;

static pml_status is_learned(const choice *how, const pml_weight_instance *weight, bool *learned, bool *fixed,
                             pml_error *error) {
    const pml_status status = pml_schema_is_fixed(how->schema, how->metadata, weight->name, fixed, error);
    *learned = !*fixed &&
               (how->options->is_learned == NULL || how->options->is_learned(how->options->user, weight->name)) &&
               (how->options->adapter == NULL || pml_adapter_fits(how->options->adapter->whole, weight->name));
    return status;
}

/* Space between parameters keeps each one 64-byte aligned. */
static size_t padded(size_t count) {
    const size_t line = PML_TENSOR_ALIGNMENT_BYTES / sizeof(float);
    return (count + line - 1) / line * line;
}

/* The stored values, whatever their dtype and layout. */
static pml_status copy_values(const pml_file *file, const pml_file_tensor *source, float *values, pml_error *error) {
    pml_status status = PML_OK;
    pml_buffer buffer;
    pml_tensor stored;
    PML_TRY(pml_tensor_view_file(file, source, &buffer, &stored, error));
    if (stored.layout == PML_LAYOUT_ROW && stored.dtype == PML_DTYPE_F32) {
        memcpy(values, pml_tensor_bytes(&stored), pml_tensor_count(&stored) * sizeof *values);
        goto done;
    }
    const size_t n_matrices = pml_tensor_n_matrices(&stored);
    const size_t each = stored.shape[stored.rank - 2] * stored.shape[stored.rank - 1];
    for (size_t i = 0; i < n_matrices; i++) {
        pml_repack_weight(&stored, i, values + i * each);
    }

done:
    return status;
}

/* Adds a parameter of that many elements. */
static pml_status add_parameter(pml_model_training *made, const pml_parameter *as, bool learned, uint64_t *n_values,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_parameter *parameter = &made->parameters[made->n_parameters++];
    uint64_t count = 1;
    *parameter = *as;
    for (unsigned axis = 0; axis < as->rank; axis++) {
        if (!pml_ck_mul(count, as->shape[axis], &count)) {
            PML_TRY(PML_FAIL(error, PML_E_MEMORY, "tensor '%s' is too large to be trained", as->name));
        }
    }
    parameter->count = (size_t)count;
    if (!pml_ck_add(*n_values, padded((size_t)count), n_values)) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "the model is too large to be trained"));
    }
    if (learned) {
        made->of_leaf[made->n_learned++] = made->n_parameters - 1;
        made->gradients_count += padded((size_t)count);
    }

done:
    return status;
}

static pml_status list(pml_file *file, const choice *how, const pml_weight_list *weights, pml_model_training *made,
                       uint64_t *n_values, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *source = pml_file_tensor_at(file, i);
        const pml_weight_instance *weight = pml_weight_list_find(weights, source->name);
        bool learned = false, fixed = false;
        if (weight == NULL) {
            continue; /* creation says so */
        }
        PML_TRY(is_learned(how, weight, &learned, &fixed, error));
        /* Of fixed weights only vectors can be statistics. */
        if (!learned && !(fixed && weight->spec->role == PML_ROLE_VECTOR)) {
            continue;
        }
        pml_parameter parameter = {.name = source->name, .role = weight->spec->role, .rank = source->rank};
        for (unsigned axis = 0; axis < source->rank; axis++) {
            parameter.shape[axis] = (size_t)source->shape[axis];
        }
        PML_TRY(add_parameter(made, &parameter, learned, n_values, error));
    }

done:
    return status;
}

/* ---- adapters ---- */
static pml_status list_adapters(const pml_model_adapters *adapters, pml_model_training *made, uint64_t *n_values,
                                pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < adapters->count; i++) {
        const pml_adapted *item = &adapters->items[i];
        const size_t rank = adapters->recipe.rank;
        const pml_parameter a = {.name = item->a_name, .role = PML_ROLE_MATRIX, .rank = 2, .shape = {item->n_in, rank}};
        const pml_parameter b = {
            .name = item->b_name, .role = PML_ROLE_MATRIX, .rank = 2, .shape = {rank, item->n_out}};
        PML_TRY(add_parameter(made, &a, true, n_values, error));
        PML_TRY(add_parameter(made, &b, true, n_values, error));
    }

done:
    return status;
}

/* What A begins as; B begins as 0, so that the model begins as the one in the file. */
static void draw(pml_parameter *a, uint64_t seed, uint64_t i_adapter) {
    const double bound = 1 / sqrt((double)a->shape[0]);
    for (size_t k = 0; k < a->count; k++) {
        a->values[k] = (float)(bound * (2 * (double)pml_random_float(seed, ADAPTER_STREAM + i_adapter, k) - 1));
    }
}

/* Tensors over the parameters, which are the last ones. */
static void bind_adapters(pml_model_adapters *adapters, pml_model_training *made, uint64_t seed) {
    for (size_t i = 0; i < adapters->count; i++) {
        pml_low_rank *low_rank = &adapters->items[i].low_rank;
        const size_t i_a = made->n_parameters - 2 * (adapters->count - i);
        low_rank->a = tensor_of(made, i_a);
        low_rank->b = tensor_of(made, i_a + 1);
        draw(&made->parameters[i_a], seed, i);
    }
}

/* Learned ones first, so that they lie side by side; then the others. */
static pml_status fill(pml_file *file, pml_model_training *made, pml_error *error) {
    pml_status status = PML_OK;
    size_t at = 0;
    for (size_t i = 0; i < made->n_learned; i++) {
        pml_parameter *parameter = &made->parameters[made->of_leaf[i]];
        parameter->values = made->values + at;
        parameter->gradient = made->gradients + at;
        made->leaves[i] = (pml_leaf){parameter->values, parameter->gradient, parameter->count};
        at += padded(parameter->count);
    }
    for (size_t i = 0; i < made->n_parameters; i++) {
        pml_parameter *parameter = &made->parameters[i];
        if (parameter->values == NULL) {
            parameter->values = made->values + at;
            at += padded(parameter->count);
        }
        made->buffers[i] = (pml_buffer){.host = parameter->values, .size_bytes = parameter->count * sizeof(float)};
        const pml_file_tensor *source = pml_file_tensor_find(file, parameter->name);
        if (source != NULL) { /* an adapter is not in the model's file */
            PML_TRY(copy_values(file, source, parameter->values, error));
        }
    }

done:
    return status;
}

static pml_status prepare(pml_file *file, const pml_trainable_options *options, pml_model_training **training,
                          pml_model_adapters **adapters, pml_error *error) {
    pml_status status = PML_OK;
    pml_weight_list weights = {0};
    pml_model_training *made = NULL;
    pml_model_adapters *planned = NULL;
    const char *family;
    uint64_t n_values = 0;
    choice how = {.metadata = pml_file_metadata(file), .options = options};
    size_t most = pml_file_n_tensors(file) + 1;
    PML_TRY(pml_metadata_get_string(how.metadata, "general.family", &family, error));
    how.schema = pml_schema_find(family);
    if (how.schema == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "this build does not know the model family '%s'", family));
    }
    PML_TRY(pml_schema_check_config(how.schema, how.metadata, error));
    PML_TRY(pml_schema_weights(how.schema, how.metadata, most, &weights, error));
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    if (options->adapter != NULL) {
        PML_TRY(pml_model_adapters_plan(file, &weights, options->adapter, options->is_learned, options->user, &planned,
                                        error));
        most += 2 * planned->count;
    }
    PML_TRY(pml_alloc(most, sizeof *made->parameters, &made->parameters, error));
    PML_TRY(pml_alloc(most, sizeof *made->buffers, &made->buffers, error));
    PML_TRY(pml_alloc(most, sizeof *made->leaves, &made->leaves, error));
    PML_TRY(pml_alloc(most, sizeof *made->of_leaf, &made->of_leaf, error));
    PML_TRY(list(file, &how, &weights, made, &n_values, error));
    if (planned != NULL) {
        PML_TRY(list_adapters(planned, made, &n_values, error));
    }
    if (n_values > SIZE_MAX / 2 / sizeof(float)) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "the model is too large to be trained"));
    }
    PML_TRY(pml_alloc_aligned(((size_t)n_values + 1) * sizeof(float), (void **)&made->values, error));
    PML_TRY(pml_alloc_aligned((made->gradients_count + 1) * sizeof(float), (void **)&made->gradients, error));
    memset(made->values, 0, ((size_t)n_values + 1) * sizeof(float));
    memset(made->gradients, 0, (made->gradients_count + 1) * sizeof(float));
    PML_TRY(fill(file, made, error));
    if (planned != NULL) {
        bind_adapters(planned, made, options->seed);
    }
    PML_TRY(pml_gradients_create(&made->pass, error));
    made->mode.seed = options->seed;
    made->evaluation.seed = options->seed;
    *training = made;
    *adapters = planned;
    made = NULL;
    planned = NULL;

done:
    pml_model_adapters_destroy(planned);
    pml_model_training_destroy(made);
    pml_weight_list_deinit(&weights);
    return status;
}

pml_status pml_model_create_trainable(pml_file *file, const pml_trainable_options *options, pml_model **model,
                                      pml_error *error) {
    pml_model_training *training = NULL;
    pml_model_adapters *adapters = NULL;
    const pml_status status = prepare(file, options, &training, &adapters, error);
    if (status != PML_OK) {
        pml_error_prefix(error, status, "%s", pml_file_path(file));
        return status;
    }
    return pml_model_create_with(file, options->backend, training, adapters, model, error);
}

/* The file's tensor of a parameter. NULL: it has none of that name and shape. */
static const pml_file_tensor *find_source(const pml_file *file, const pml_parameter *parameter) {
    const pml_file_tensor *source = pml_file_tensor_find(file, parameter->name);
    bool fits = source != NULL && source->rank == parameter->rank;
    for (unsigned axis = 0; fits && axis < parameter->rank; axis++) {
        fits = source->shape[axis] == parameter->shape[axis];
    }
    return fits ? source : NULL;
}

pml_status pml_model_parameters_take(pml_model *model, const pml_file *file, size_t *n_taken, size_t *n_kept,
                                     pml_error *error) {
    pml_status status = PML_OK;
    *n_taken = *n_kept = 0;
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(model, i);
        const pml_file_tensor *source = find_source(file, parameter);
        if (source != NULL) {
            PML_TRY(copy_values(file, source, parameter->values, error));
        }
        *n_taken += source != NULL;
        *n_kept += source == NULL;
    }

done:
    return status;
}

pml_status pml_model_parameters_read(pml_model *model, const pml_file *file, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(model, i);
        const pml_file_tensor *source = find_source(file, parameter);
        if (source == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: tensor '%s' is missing or has another shape",
                             pml_file_path(file), parameter->name));
        }
        PML_TRY(copy_values(file, source, parameter->values, error));
    }

done:
    return status;
}

size_t pml_model_n_parameters(const pml_model *model) {
    return model->training == NULL ? 0 : model->training->n_parameters;
}

pml_parameter *pml_model_parameter_at(const pml_model *model, size_t i_parameter) {
    return i_parameter < pml_model_n_parameters(model) ? &model->training->parameters[i_parameter] : NULL;
}

pml_parameter *pml_model_parameter_find(const pml_model *model, const char *name) {
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        if (strcmp(model->training->parameters[i].name, name) == 0) {
            return &model->training->parameters[i];
        }
    }
    return NULL;
}

bool pml_model_training_weight(const pml_model_training *training, const char *name, pml_tensor *tensor) {
    for (size_t i = 0; i < training->n_parameters; i++) {
        if (strcmp(training->parameters[i].name, name) == 0) {
            *tensor = tensor_of(training, i);
            return true;
        }
    }
    return false;
}

/* ---- modes ---- */
void pml_model_training_set(pml_model *model, bool is_training) {
    pml_model_training *training = model->training;
    if (training == NULL || (model->context.training != NULL) == is_training) {
        return;
    }
    model->context.training = is_training ? &training->mode : NULL;
    model->context.tape = is_training ? &training->tape : NULL;
    training->is_recorded = false;
    pml_model_batch_wide_set(model, is_training);
}

void pml_model_training_step_set(pml_model *model, uint64_t step) {
    if (model->training != NULL) {
        model->training->mode.step = step;
    }
}

void pml_model_training_bf16_set(pml_model *model, bool bf16) {
    if (model->training != NULL) {
        model->training->mode.bf16 = bf16;
    }
}

void pml_model_training_share_set(pml_model *model, const pml_training_share *share) {
    pml_model_training *training = model->training;
    if (training != NULL) {
        /* An odd multiple of the golden ratio: seeds of neighbours that a user would choose stay apart. */
        training->mode.seed = training->evaluation.seed + (uint64_t)share->i_process * 0x9e3779b97f4a7c15u;
        training->mode.sum = share->sum;
        training->mode.sum_user = share->user;
    }
}

void pml_model_training_silent_set(pml_model *model, bool is_silent) {
    if (model->training != NULL) {
        model->training->mode.is_silent = is_silent;
    }
}

/* ---- a step ---- */
void pml_model_training_begin(pml_model *model, size_t *workspace_bytes) {
    pml_model_training *training = model->training;
    if (training == NULL) {
        return;
    }
    model->context.masking = model->context.tape != NULL ? &training->mode : &training->evaluation;
    if (model->context.tape == NULL) {
        return;
    }
    training->mode.n_dropouts = 0;
    training->is_recorded = false;
    if (training->workspace_batch == model->planned_batch && training->workspace_tokens == model->n_tokens &&
        training->workspace_bytes > *workspace_bytes) {
        *workspace_bytes = training->workspace_bytes;
    }
}

void pml_model_training_end(pml_model *model) {
    pml_model_training *training = model->training;
    if (training == NULL || model->context.tape == NULL) {
        return;
    }
    training->is_recorded = true;
    training->workspace_batch = model->planned_batch;
    training->workspace_tokens = model->n_tokens;
    training->workspace_bytes = PML_SUM(model->context.workspace_peak_bytes, model->context.workspace_missed_bytes);
}

typedef struct done_job {
    const pml_model_training *training;
    pml_parameter_done_fn *done;
    void *user;
} done_job;

static void leaf_done(void *user, size_t i_leaf) {
    const done_job *job = user;
    job->done(job->user, &job->training->parameters[job->training->of_leaf[i_leaf]]);
}

pml_status pml_model_backward(pml_model *model, const pml_output_gradient *outputs, size_t n_outputs,
                              pml_parameter_done_fn *done, void *user, pml_error *error) {
    pml_status status = PML_OK;
    pml_gradient_seed seeds[PML_MODEL_MAX_PORTS];
    pml_model_training *training = model->training;
    if (training == NULL || !training->is_recorded || n_outputs > PML_MODEL_MAX_PORTS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "there is no run in training mode to go back over"));
    }
    for (size_t i = 0; i < n_outputs; i++) {
        const pml_model_port *port = pml_model_find_output(model, outputs[i].output);
        if (port == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the model has no output '%s'", outputs[i].output));
        }
        seeds[i] = (pml_gradient_seed){&model->output_tensors[port - model->outputs], outputs[i].gradient};
    }
    done_job job = {training, done, user};
    const pml_gradients_pass pass = {.leaves = training->leaves,
                                     .n_leaves = training->n_learned,
                                     .seeds = seeds,
                                     .n_seeds = n_outputs,
                                     .done = done == NULL ? NULL : leaf_done,
                                     .user = &job};
    training->is_recorded = false;
    PML_TRY(pml_gradients_run(training->pass, &model->context, &pass, error));

done:
    return status;
}

void pml_model_gradients_clear(pml_model *model) {
    if (model->training != NULL) {
        memset(model->training->gradients, 0, model->training->gradients_count * sizeof(float));
    }
}
