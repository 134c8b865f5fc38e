/* The table of tasks, and the loss of a run by it. */
#include "runtime/train/objective.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/train/data/series_windows.h"

const pml_task pml_tasks[] = {{.name = "forecast",
                               .loss = "mse",
                               .outputs = {"prediction_outputs"},
                               .target = "future_values",
                               .summary = "values of the horizon"},
                              {.name = "forecast-student-t",
                               .loss = "student_t_nll",
                               .outputs = {"df", "dist_loc", "dist_scale"},
                               .target = "future_values",
                               .location = "loc",
                               .scale = "scale",
                               .summary = "a Student t distribution of each value of the horizon"},
                              {.name = "forecast-normal",
                               .loss = "normal_nll",
                               .outputs = {"dist_loc", "dist_scale"},
                               .target = "future_values",
                               .location = "loc",
                               .scale = "scale",
                               .summary = "a normal distribution of each value of the horizon"},
                              {.name = "reconstruct",
                               .loss = "mse",
                               .outputs = {"reconstruction"},
                               .target = "past_values",
                               .summary = "the window itself"},
                              {.name = "pretrain",
                               .loss = "mse",
                               .outputs = {"prediction_output"},
                               .target = "patch_input",
                               .of_model = true,
                               .weights = "mask",
                               .summary = "masked patches of the window"},
                              {.name = "regression",
                               .loss = "mse",
                               .outputs = {"regression_outputs"},
                               .target = "target_values",
                               .summary = "numbers that belong to a window"},
                              {.name = "classify",
                               .loss = "cross_entropy",
                               .outputs = {"prediction_logits"},
                               .rank = 2,
                               .target = "labels",
                               .is_class = true,
                               .summary = "the class of a window"},
                              {.name = "classify-text",
                               .loss = "cross_entropy",
                               .outputs = {"logits"},
                               .rank = 2,
                               .target = "labels",
                               .is_class = true,
                               .summary = "the class of a text"},
                              {.name = "tokens",
                               .loss = "cross_entropy",
                               .outputs = {"logits"},
                               .rank = 3,
                               .target = "labels",
                               .is_class = true,
                               .summary = "each token's label: the token that follows, or the one that was masked"},
                              {0}};

static size_t n_outputs(const pml_task *task) {
    size_t n = 0;
    while (n < PML_LOSS_MAX_PREDICTIONS && task->outputs[n] != NULL) {
        n++;
    }
    return n;
}

static bool fits(const pml_task *task, const pml_model *model) {
    for (size_t i = 0; i < n_outputs(task); i++) {
        const pml_model_port *port = pml_model_find_output(model, task->outputs[i]);
        if (port == NULL || strcmp(port->name, task->outputs[i]) != 0 ||
            (i == 0 && task->rank != 0 && port->rank != task->rank)) {
            return false;
        }
    }
    return task->outputs[0] != NULL;
}

pml_status pml_objective_init(pml_objective *objective, const pml_model *model, const char *task, const char *loss,
                              pml_error *error) {
    pml_status status = PML_OK;
    *objective = (pml_objective){0};
    for (const pml_task *at = pml_tasks; at->name != NULL && objective->task == NULL; at++) {
        objective->task = fits(at, model) && (task == NULL || strcmp(task, at->name) == 0) ? at : NULL;
    }
    if (objective->task == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "this %s model has no outputs that %s%s would compare with anything",
                         pml_model_schema(model)->name, task == NULL ? "a task" : "the task ",
                         task == NULL ? "" : task));
    }
    PML_TRY(
        pml_loss_choose(loss == NULL ? objective->task->loss : loss, &objective->loss, &objective->settings, error));
    if (objective->loss->n_predictions != n_outputs(objective->task) ||
        objective->loss->has_classes != objective->task->is_class) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the loss '%s' does not compare what '%s' gives",
                         objective->loss->plugin.name, objective->task->name));
    }

done:
    return status;
}

void pml_objective_deinit(pml_objective *objective) {
    pml_free(objective->gradients);
    pml_free(objective->target);
    pml_free(objective->taken_classes);
    *objective = (pml_objective){0};
}

pml_status pml_objective_run(pml_objective *objective, pml_model *model, const pml_batch *batch, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    pml_array inputs[PML_MODEL_MAX_PORTS];
    size_t n_inputs = 0;
    for (size_t i = 0; i < batch->n_fields; i++) {
        const pml_batch_field *field = &batch->fields[i];
        const pml_model_port *port = pml_model_find_input(model, field->name);
        if (port == NULL || field->dtype != PML_DTYPE_F32 || n_inputs == PML_MODEL_MAX_PORTS) {
            continue;
        }
        pml_array *input = &inputs[n_inputs++];
        *input = (pml_array){.name = port->name, .data = field->data, .rank = field->rank};
        memcpy(input->shape, field->shape, field->rank * sizeof field->shape[0]);
    }
    PML_TRY(pml_objective_taker(objective, model, batch, &context->taker, error));
    PML_TRY(pml_model_run(model, inputs, n_inputs, error));

done:
    context->taker = NULL;
    return status;
}

static size_t count_of(const size_t *shape, size_t rank) {
    size_t count = 1;
    for (size_t axis = 0; axis < rank; axis++) {
        count *= shape[axis];
    }
    return count;
}

static pml_status reserve(float **floats, size_t *capacity, size_t count, pml_error *error) {
    if (count <= *capacity) {
        return PML_OK;
    }
    pml_free(*floats);
    *floats = NULL;
    *capacity = 0;
    const pml_status status = pml_alloc_aligned(count * sizeof **floats, (void **)floats, error);
    *capacity = status == PML_OK ? count : 0;
    return status;
}

/* (target - location) / scale of the sample's window, whose statistics are [B, 1, C]. */
static pml_status normalize(pml_objective *objective, const pml_model *model, const pml_batch_field *field,
                            pml_error *error) {
    pml_status status = PML_OK;
    const pml_array *location = pml_model_output(model, objective->task->location);
    const pml_array *scale = pml_model_output(model, objective->task->scale);
    const size_t n_channels = field->shape[field->rank - 1], count = count_of(field->shape, field->rank);
    const size_t each = count / field->shape[0];
    if (location == NULL || scale == NULL ||
        count_of(location->shape, location->rank) != field->shape[0] * n_channels) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the model does not say by what its targets are normalized"));
    }
    PML_TRY(reserve(&objective->target, &objective->target_capacity, count, error));
    const float *from = field->data;
    for (size_t i = 0; i < count; i++) {
        const size_t at = i / each * n_channels + i % n_channels;
        objective->target[i] = (from[i] - location->data[at]) / scale->data[at];
    }

done:
    return status;
}

/* A target that has the last of the output's channels alone: the others are there with weight 0. */
static pml_status widen(pml_objective *objective, const pml_array *output, const pml_batch_field *field,
                        pml_loss_operands *operands, size_t *count, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = output->shape[output->rank - 1], n_targets = field->shape[field->rank - 1];
    const size_t n_rows = *count / n_targets, all = n_rows * n;
    PML_TRY(reserve(&objective->target, &objective->target_capacity, 2 * all, error));
    float *target = objective->target, *weights = target + all;
    const float *from = field->data, *observed = operands->weights;
    memset(target, 0, 2 * all * sizeof *target);
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t c = 0; c < n_targets; c++) {
            const size_t to = i * n + (n - n_targets) + c;
            target[to] = from[i * n_targets + c];
            weights[to] = observed == NULL ? 1 : observed[i * n_targets + c];
        }
    }
    operands->target = target;
    operands->weights = weights;
    operands->n_weights = all;
    *count = all;

done:
    return status;
}

/* Whether the output has the target's rows, and more channels. */
static bool is_wider(const pml_array *output, const pml_batch_field *field) {
    bool same = output != NULL && output->rank == field->rank && field->rank == 3 && field->shape[2] > 0;
    for (size_t axis = 0; same && axis < 2; axis++) {
        same = output->shape[axis] == field->shape[axis];
    }
    return same && output->shape[2] > field->shape[2];
}

/* Of a target of which some values are missing: 1 where they are there. */
static const pml_batch_field *find_observed(const pml_objective *objective, const pml_batch *batch) {
    return strcmp(objective->task->target, PML_FIELD_FUTURE) == 0 ? pml_batch_find(batch, PML_FIELD_FUTURE_OBSERVED)
                                                                  : NULL;
}

/* The target and its size, and what its values weigh. */
static pml_status find_target(pml_objective *objective, const pml_model *model, const pml_batch *batch,
                              pml_loss_operands *operands, size_t *count, pml_error *error) {
    pml_status status = PML_OK;
    const pml_task *task = objective->task;
    if (task->of_model) {
        const pml_array *output = pml_model_output(model, task->target);
        if (output == NULL || output->data == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "the model does not give '%s'", task->target));
        }
        operands->target = output->data;
        *count = count_of(output->shape, output->rank);
        goto done;
    }
    const pml_batch_field *field = pml_batch_find(batch, task->target);
    if (field == NULL || field->dtype != (task->is_class ? PML_DTYPE_I64 : PML_DTYPE_F32)) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "the data have no '%s' that %s could be trained for", task->target,
                         task->name));
    }
    *count = count_of(field->shape, field->rank);
    const pml_batch_field *observed = find_observed(objective, batch);
    if (observed != NULL) {
        operands->weights = observed->data;
        operands->n_weights = *count;
    }
    const pml_array *output = pml_model_output(model, task->outputs[0]);
    if (task->is_class) {
        operands->classes = field->data;
    } else if (task->location != NULL) {
        PML_TRY(normalize(objective, model, field, error));
        operands->target = objective->target;
    } else if (is_wider(output, field)) {
        PML_TRY(widen(objective, output, field, operands, count, error));
    } else {
        operands->target = field->data;
    }

done:
    return status;
}

/* Predictions, and room for their gradients. */
static pml_status find_predictions(pml_objective *objective, const pml_model *model, size_t n_terms,
                                   pml_loss_operands *operands, bool backward, pml_error *error) {
    pml_status status = PML_OK;
    const pml_task *task = objective->task;
    size_t count = 0;
    for (size_t i = 0; i < n_outputs(task); i++) {
        const pml_array *output = pml_model_output(model, task->outputs[i]);
        const size_t has = count_of(output->shape, output->rank);
        operands->predictions[i] = output->data;
        count = i == 0 ? has : count;
        if (has != count || n_terms == 0 || count % n_terms != 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "output '%s' has %zu values, its target %zu", task->outputs[i], has,
                             n_terms));
        }
    }
    operands->width = count / n_terms;
    if (backward) {
        PML_TRY(reserve(&objective->gradients, &objective->gradients_capacity, count * n_outputs(task), error));
        objective->gradients_count = count;
        for (size_t i = 0; i < n_outputs(task); i++) {
            operands->gradients[i] = objective->gradients + i * count;
        }
    }
    const pml_array *weights = task->weights == NULL ? NULL : pml_model_output(model, task->weights);
    if (weights != NULL) {
        operands->weights = weights->data;
        operands->n_weights = count_of(weights->shape, weights->rank);
    }

done:
    return status;
}

/* Whether samples may weigh differently in a mean: labels that do not count, hidden patches, missing values. */
static bool is_weighed(const pml_objective *objective, const pml_batch *batch) {
    return objective->task->is_class || objective->task->weights != NULL || find_observed(objective, batch) != NULL;
}

pml_status pml_objective_share(pml_objective *objective, pml_model *model, const pml_batch *batch,
                               const pml_ranks *ranks, bool is_silent, double *share, pml_error *error) {
    pml_status status = PML_OK;
    pml_ranks_vote vote = {.weight = (double)batch->n_samples};
    double all = (double)batch->n_all;
    if (is_weighed(objective, batch) && pml_ranks_are_several(ranks)) {
        pml_loss_operands operands = {.class_weights = objective->class_weights,
                                      .n_class_weights = objective->n_class_weights};
        vote.weight = 0;
        if (!is_silent && objective->taker.is_used) {
            vote.weight = objective->loss->total_weight(&objective->settings, &objective->taken);
        } else if (!is_silent) {
            PML_TRY(find_target(objective, model, batch, &operands, &operands.n_terms, error));
            PML_TRY(find_predictions(objective, model, operands.n_terms, &operands, false, error));
            PML_TRY(pml_loss_total_weight(objective->loss, &objective->settings, &operands, &vote.weight, error));
        }
        const double mine = vote.weight;
        PML_TRY(pml_ranks_vote_on(ranks, &vote, error));
        all = vote.weight;
        vote.weight = mine;
    }
    *share = all > 0 ? vote.weight / all : 0;

done:
    return status;
}

pml_status pml_objective_loss(pml_objective *objective, pml_model *model, const pml_batch *batch, double scale,
                              bool with_gradients, double *loss, pml_error *error) {
    pml_status status = PML_OK;
    pml_loss_operands operands = {.reduction = PML_REDUCTION_MEAN,
                                  .scale = scale,
                                  .class_weights = objective->class_weights,
                                  .n_class_weights = objective->n_class_weights};
    size_t n_terms = 0;
    if (objective->taker.is_used) {
        *loss = with_gradients ? 0 : scale * objective->taken_loss;
        objective->taken_factor *= scale;
        goto done;
    }
    PML_TRY(find_target(objective, model, batch, &operands, &n_terms, error));
    operands.n_terms = n_terms;
    PML_TRY(find_predictions(objective, model, n_terms, &operands, with_gradients, error));
    PML_TRY(pml_loss_compute(objective->loss, &objective->settings, &operands, pml_model_context(model), loss, error));
    if (scale == 0) {
        *loss = 0;
        for (size_t i = 0; with_gradients && i < n_outputs(objective->task); i++) {
            memset(operands.gradients[i], 0, n_terms * operands.width * sizeof *operands.gradients[i]);
        }
    }

done:
    return status;
}

pml_status pml_objective_backward(pml_objective *objective, pml_model *model, pml_parameter_done_fn *done, void *user,
                                  double *loss, pml_error *error) {
    pml_status status = PML_OK;
    static const float from_taker = 1;
    pml_output_gradient seeds[PML_LOSS_MAX_PREDICTIONS];
    const size_t n = n_outputs(objective->task);
    for (size_t i = 0; i < n; i++) {
        seeds[i] = (pml_output_gradient){
            objective->task->outputs[i],
            objective->taker.is_used ? &from_taker : objective->gradients + i * objective->gradients_count};
    }
    objective->taken_loss = 0;
    PML_TRY(pml_model_backward(model, seeds, n, done, user, error));
    *loss += objective->taken_loss;

done:
    return status;
}
