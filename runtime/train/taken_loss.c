/* The loss of scores that a model hands on some rows at a time. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/train/objective.h"

/* The same as pml_loss_operands.classes, of one target. */
static double weight_of(const pml_objective *objective, size_t slot) {
    pml_loss_operands one = objective->taken;
    one.n_terms = 1;
    one.classes += slot;
    return objective->loss->total_weight(&objective->settings, &one);
}

static bool counts(void *user, size_t slot) {
    const pml_objective *objective = user;
    return slot < objective->taken.n_terms && weight_of(objective, slot) != 0;
}

static pml_status take(void *user, pml_context *context, size_t first_slot, const float *slots, size_t n, size_t width,
                       float *scores, bool differentiate, pml_error *error) {
    pml_status status = PML_OK;
    pml_objective *objective = user;
    pml_loss_operands rows = objective->taken;
    double sum = 0;
    if (n > objective->taken.n_terms || width != rows.width) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu rows of %zu scores for %zu targets of %zu", n, width, rows.n_terms,
                         rows.width));
    }
    for (size_t i = 0; i < n; i++) {
        objective->taken_classes[i] = rows.classes[first_slot + (size_t)slots[i]];
    }
    if (objective->taken_factor == 0) { /* nothing counts; a scale of 0 would stand for 1 */
        memset(scores, 0, differentiate ? n * width * sizeof *scores : 0);
        goto done;
    }
    rows.n_terms = n;
    rows.classes = objective->taken_classes;
    rows.predictions[0] = scores;
    rows.gradients[0] = differentiate ? scores : NULL;
    rows.reduction = PML_REDUCTION_SUM;
    rows.scale = objective->taken_factor;
    PML_TRY(pml_loss_compute(objective->loss, &objective->settings, &rows, context, &sum, error));
    objective->taken_loss += sum;

done:
    return status;
}

/* Whether targets [B, T] belong to the tokens that the model reads. */
static bool fits_tokens(const pml_model *model, const pml_batch *batch, const pml_batch_field *target) {
    for (size_t i = 0; i < batch->n_fields; i++) {
        const pml_batch_field *field = &batch->fields[i];
        const pml_model_port *port = pml_model_find_input(model, field->name);
        if (port != NULL && port->token_axis == 1) {
            return target->rank == 2 && field->rank == 2 && field->shape[0] == target->shape[0] &&
                   field->shape[1] == target->shape[1];
        }
    }
    return false;
}

pml_status pml_objective_taker(pml_objective *objective, const pml_model *model, const pml_batch *batch,
                               pml_score_taker **taker, pml_error *error) {
    pml_status status = PML_OK;
    const pml_task *task = objective->task;
    const pml_batch_field *target = task->is_class && task->rank == 3 ? pml_batch_find(batch, task->target) : NULL;
    const pml_loss *loss = objective->loss;
    *taker = NULL;
    objective->taker = (pml_score_taker){.counts = counts, .take = take, .user = objective};
    if (objective->keeps_scores || target == NULL || target->dtype != PML_DTYPE_I64 || loss->check == NULL ||
        loss->total_weight == NULL || !fits_tokens(model, batch, target)) {
        goto done;
    }
    const pml_model_port *port = pml_model_find_output(model, task->outputs[0]);
    objective->taken = (pml_loss_operands){.n_terms = target->shape[0] * target->shape[1],
                                           .width = port->shape[port->rank - 1],
                                           .classes = target->data,
                                           .class_weights = objective->class_weights,
                                           .n_class_weights = objective->n_class_weights};
    PML_TRY(loss->check(&objective->settings, &objective->taken, error));
    PML_TRY(pml_grow(&objective->taken_classes, &objective->taken_capacity, objective->taken.n_terms,
                     sizeof *objective->taken_classes, SIZE_MAX / sizeof *objective->taken_classes, "targets", error));
    const double total = loss->total_weight(&objective->settings, &objective->taken);
    objective->taken_factor = total == 0 ? 0 : 1 / total;
    objective->taken_loss = 0;
    *taker = &objective->taker;

done:
    return status;
}
