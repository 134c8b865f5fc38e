/* Steps over the parts that a run is made of: model, objective, optimizer. */
#include "runtime/train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/train/clip.h"

static pml_status prepare_parameters(pml_trainer *made, const pml_trainer_options *options, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = pml_model_n_parameters(made->model);
    size_t n_views = 0, at = 0;
    PML_TRY(pml_alloc(n + 1, sizeof *made->views, &made->views, error));
    for (size_t i = 0; i < n; i++) {
        const pml_parameter *parameter = pml_model_parameter_at(made->model, i);
        if (parameter->gradient != NULL) {
            made->views[n_views++] = (pml_parameter_view){.name = parameter->name,
                                                          .count = parameter->count,
                                                          .value = parameter->values,
                                                          .gradient = parameter->gradient};
            made->slots_count += parameter->count;
        }
    }
    if (n_views == 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "no weight is to be trained"));
    }
    made->n_slots = pml_optimizer_slots(made->optimizer, &made->settings);
    const size_t size_bytes = (made->n_slots * made->slots_count + 1) * sizeof(float);
    PML_TRY(pml_alloc_aligned(size_bytes, (void **)&made->slots, error));
    memset(made->slots, 0, size_bytes);
    for (size_t i = 0; i < n_views; i++) {
        for (size_t k = 0; k < made->n_slots; k++) {
            made->views[i].slots[k] = made->slots + k * made->slots_count + at;
        }
        at += made->views[i].count;
    }
    PML_TRY(pml_parameter_set_init(&made->set, made->views, n_views, error));
    PML_TRY(pml_parameter_set_group(&made->set, options->groups, options->n_groups, error));

done:
    return status;
}

pml_status pml_trainer_create(pml_model *model, const pml_trainer_options *options, pml_trainer **trainer,
                              pml_error *error) {
    pml_status status = PML_OK;
    pml_trainer *made = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->model = model;
    made->n_accumulate = options->n_accumulate == 0 ? 1 : options->n_accumulate;
    made->clip_norm = options->clip_norm;
    made->clip_value = options->clip_value;
    PML_TRY(pml_objective_init(&made->objective, model, options->task, options->loss, error));
    PML_TRY(pml_optimizer_choose(options->optimizer == NULL ? "adamw" : options->optimizer, &made->optimizer,
                                 &made->settings, error));
    PML_TRY(prepare_parameters(made, options, error));
    pml_model_gradients_clear(model);
    *trainer = made;
    made = NULL;

done:
    pml_trainer_destroy(made);
    return status;
}

void pml_trainer_destroy(pml_trainer *trainer) {
    if (trainer != NULL) {
        pml_objective_deinit(&trainer->objective);
        pml_parameter_set_deinit(&trainer->set);
        pml_free(trainer->views);
        pml_free(trainer->slots);
        pml_free(trainer);
    }
}

pml_status pml_trainer_add(pml_trainer *trainer, const pml_batch *batch, pml_parameter_done_fn *done, void *user,
                           pml_error *error) {
    pml_status status = PML_OK;
    const bool is_last = trainer->n_added + 1 == trainer->n_accumulate;
    double loss = 0;
    pml_model_training_set(trainer->model, true);
    pml_model_training_step_set(trainer->model, trainer->n_steps * trainer->n_accumulate + trainer->n_added);
    PML_TRY(pml_objective_run(trainer->model, batch, error));
    PML_TRY(pml_objective_loss(&trainer->objective, trainer->model, batch, 1.0 / (double)trainer->n_accumulate, true,
                               &loss, error));
    PML_TRY(pml_objective_backward(&trainer->objective, trainer->model, is_last ? done : NULL, user, error));
    if (!isfinite(loss)) {
        PML_TRY(PML_FAIL(error, PML_E_NUMERIC, "the loss is %g", loss));
    }
    trainer->loss += loss;
    trainer->n_added++;

done:
    if (status == PML_E_NUMERIC) {
        pml_error_prefix(error, status, "step %" PRIu64, trainer->n_steps + 1);
    }
    return status;
}

/* The first parameter whose gradient is not finite. */
static pml_status fail_gradient(const pml_trainer *trainer, pml_error *error) {
    for (size_t i = 0; i < trainer->set.n_views; i++) {
        const pml_parameter_view *view = &trainer->views[i];
        for (size_t k = 0; k < view->count; k++) {
            if (!isfinite(view->gradient[k])) {
                return PML_FAIL(error, PML_E_NUMERIC, "step %" PRIu64 ": element %zu of the gradient of '%s' is %g",
                                trainer->n_steps + 1, k, view->name, (double)view->gradient[k]);
            }
        }
    }
    return PML_FAIL(error, PML_E_NUMERIC, "step %" PRIu64 ": the gradients' norm is beyond what a number can hold",
                    trainer->n_steps + 1);
}

pml_status pml_trainer_step(pml_trainer *trainer, double rate_factor, pml_step_result *result, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(trainer->model);
    result->loss = trainer->loss;
    result->learning_rate = pml_setting(&trainer->settings, PML_OPTIMIZER_LR) * rate_factor;
    if (trainer->clip_value > 0) {
        pml_clip_gradient_value(&trainer->set, (float)trainer->clip_value, context);
    }
    result->gradient_norm =
        pml_clip_gradient_norm(&trainer->set, trainer->clip_norm > 0 ? trainer->clip_norm : INFINITY, context);
    trainer->loss = 0;
    trainer->n_added = 0;
    if (!isfinite(result->gradient_norm)) {
        PML_TRY(fail_gradient(trainer, error));
    }
    trainer->n_steps++;
    pml_optimizer_step(trainer->optimizer, &trainer->settings, &trainer->set, trainer->n_steps, rate_factor, context);

done:
    pml_model_gradients_clear(trainer->model);
    return status;
}

pml_status pml_trainer_evaluate(pml_trainer *trainer, pml_loader *loader, double *loss, pml_error *error) {
    pml_status status = PML_OK;
    double total = 0, n_samples = 0;
    pml_model_training_set(trainer->model, false);
    PML_TRY(pml_loader_seek(loader, (pml_loader_position){0}, error)); /* every evaluation sees the same */
    for (;;) {
        const pml_batch *batch;
        double part = 0;
        PML_TRY(pml_loader_next(loader, &batch, error));
        if (batch == NULL) {
            break;
        }
        PML_TRY(pml_objective_run(trainer->model, batch, error));
        PML_TRY(pml_objective_loss(&trainer->objective, trainer->model, batch, 1, false, &part, error));
        total += part * (double)batch->n_samples;
        n_samples += (double)batch->n_samples;
    }
    *loss = n_samples > 0 ? total / n_samples : NAN;

done:
    return status;
}
