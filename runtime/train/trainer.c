/* Steps over the parts that a run is made of: model, objective, optimizer. */
#include "runtime/train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/train/average.h"
#include "runtime/train/clip.h"

/* Elements of a bucket: 4 MiB, what a network takes in a millisecond or so, and a model of any size is some of. */
#define BUCKET_COUNT ((size_t)1 << 20)

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

static void sum_of_ranks(void *user, double *values, size_t count) {
    const pml_ranks *ranks = user;
    ranks->module->sum(values, count);
}

static pml_status prepare_ranks(pml_trainer *made, const pml_trainer_options *options, pml_error *error) {
    if (!pml_ranks_are_several(options->ranks)) {
        return PML_OK;
    }
    made->ranks = options->ranks;
    made->is_synced = options->sync_batch_norms;
    pml_model_training_share_set(made->model, &(pml_training_share){.i_process = made->ranks->i_rank,
                                                                    .sum = made->is_synced ? sum_of_ranks : NULL,
                                                                    .user = (void *)(uintptr_t)made->ranks});
    return pml_reducer_init(&made->reducer, made->ranks, made->views, made->set.n_views, BUCKET_COUNT, error);
}

/* Averages begin as the weights are. */
static pml_status prepare_averages(pml_trainer *made, double decay, pml_error *error) {
    pml_status status = PML_OK;
    size_t at = 0;
    if (decay == 0) {
        goto done;
    }
    if (!(decay > 0 && decay < 1)) {
        PML_TRY(
            PML_FAIL(error, PML_E_ARGUMENT, "the decay of averaged weights lies between 0 and 1, it is not %g", decay));
    }
    made->ema_decay = decay;
    PML_TRY(pml_alloc(made->set.n_views, sizeof *made->averages, &made->averages, error));
    PML_TRY(pml_alloc(made->slots_count, sizeof *made->averages_values, &made->averages_values, error));
    for (size_t i = 0; i < made->set.n_views; i++) {
        made->averages[i] = made->averages_values + at;
        memcpy(made->averages[i], made->views[i].value, made->views[i].count * sizeof(float));
        at += made->views[i].count;
    }

done:
    return status;
}

void pml_trainer_swap_average(pml_trainer *trainer) {
    if (trainer->averages != NULL) {
        pml_average_swap(&trainer->set, trainer->averages, pml_model_context(trainer->model));
    }
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
    PML_TRY(prepare_averages(made, options->ema_decay, error));
    PML_TRY(prepare_ranks(made, options, error));
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
        pml_reducer_deinit(&trainer->reducer);
        pml_free(trainer->views);
        pml_free(trainer->averages);
        pml_free(trainer->averages_values);
        pml_free(trainer->blank);
        pml_free(trainer->slots);
        pml_free(trainer);
    }
}

/* A batch of one sample of zeros, in place of none. */
static pml_status make_blank(pml_trainer *trainer, const pml_batch *batch, pml_batch *blank, pml_batch_field *fields,
                             pml_error *error) {
    pml_status status = PML_OK;
    size_t most_bytes = sizeof(int64_t);
    for (size_t i = 0; i < batch->n_fields; i++) {
        uint64_t bytes = sizeof(int64_t);
        for (size_t axis = 1; axis < batch->fields[i].rank; axis++) {
            if (!pml_ck_mul(bytes, batch->fields[i].shape[axis], &bytes)) {
                PML_TRY(PML_FAIL(error, PML_E_MEMORY, "a sample is too large"));
            }
        }
        most_bytes = bytes > most_bytes ? (size_t)bytes : most_bytes;
    }
    if (most_bytes > trainer->blank_bytes) {
        pml_free(trainer->blank);
        trainer->blank = NULL;
        trainer->blank_bytes = 0;
        PML_TRY(pml_alloc_aligned(most_bytes, &trainer->blank, error));
        memset(trainer->blank, 0, most_bytes);
        trainer->blank_bytes = most_bytes;
    }
    *blank = *batch;
    blank->fields = fields;
    for (size_t i = 0; i < batch->n_fields; i++) {
        fields[i] = batch->fields[i];
        fields[i].data = trainer->blank;
        fields[i].shape[0] = 1;
    }

done:
    return status;
}

/* A run and its way back. `batch` has samples, or stands for none. */
static pml_status run_batch(pml_trainer *trainer, const pml_batch *batch, bool is_silent, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_last = trainer->n_added + 1 == trainer->n_accumulate;
    double share = 1;
    double loss = 0;
    pml_model_training_set(trainer->model, true);
    pml_model_training_silent_set(trainer->model, is_silent);
    pml_model_training_step_set(trainer->model, trainer->n_steps * trainer->n_accumulate + trainer->n_added);
    PML_TRY(pml_objective_run(&trainer->objective, trainer->model, batch, error));
    if (trainer->ranks != NULL) {
        PML_TRY(
            pml_objective_share(&trainer->objective, trainer->model, batch, trainer->ranks, is_silent, &share, error));
    }
    PML_TRY(pml_objective_loss(&trainer->objective, trainer->model, batch, share / (double)trainer->n_accumulate, true,
                               &loss, error));
    PML_TRY(pml_objective_backward(&trainer->objective, trainer->model,
                                   is_last && trainer->ranks != NULL ? pml_reducer_done : NULL, &trainer->reducer,
                                   &loss, error));
    if (!isfinite(loss)) {
        PML_TRY(PML_FAIL(error, PML_E_NUMERIC, "the loss is %g", loss));
    }
    trainer->loss += loss;

done:
    return status;
}

pml_status pml_trainer_add(pml_trainer *trainer, const pml_batch *batch, pml_error *error) {
    pml_status status = PML_OK;
    pml_batch blank;
    pml_batch_field fields[PML_MAX_DATA_FIELDS];
    if (batch->n_samples > 0) {
        PML_TRY(run_batch(trainer, batch, false, error));
    } else if (trainer->is_synced) {
        PML_TRY(make_blank(trainer, batch, &blank, fields, error));
        PML_TRY(run_batch(trainer, &blank, true, error));
    } else {
        double share;
        PML_TRY(pml_objective_share(&trainer->objective, trainer->model, batch, trainer->ranks, true, &share, error));
    }
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
    pml_ranks_vote vote = {.sum = trainer->loss, .is_stopped = pml_cancel_is_requested()};
    result->is_stopped = false;
    if (trainer->ranks != NULL) {
        pml_reducer_finish(&trainer->reducer);
        PML_TRY(pml_ranks_vote_on(trainer->ranks, &vote, error));
        result->is_stopped = vote.is_stopped != 0;
    }
    result->loss = vote.sum;
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
    if (trainer->averages != NULL) {
        pml_average_update(&trainer->set, trainer->averages, trainer->ema_decay, context);
    }

done:
    pml_model_gradients_clear(trainer->model);
    return status;
}

pml_status pml_trainer_evaluate(pml_trainer *trainer, pml_loader *loader, double *loss, pml_error *error) {
    pml_status status = PML_OK;
    pml_ranks_vote vote = {0};
    pml_model_training_set(trainer->model, false);
    PML_TRY(pml_loader_seek(loader, (pml_loader_position){0}, error)); /* every evaluation sees the same */
    for (;;) {
        const pml_batch *batch;
        double part = 0;
        PML_TRY(pml_loader_next(loader, &batch, error));
        vote.is_stopped = trainer->ranks != NULL && pml_cancel_is_requested();
        if (batch == NULL || vote.is_stopped) {
            break;
        }
        if (batch->n_samples > 0) {
            PML_TRY(pml_objective_run(&trainer->objective, trainer->model, batch, error));
            PML_TRY(pml_objective_loss(&trainer->objective, trainer->model, batch, 1, false, &part, error));
            vote.sum += part * (double)batch->n_samples;
            vote.weight += (double)batch->n_samples;
        }
    }
    PML_TRY(pml_ranks_vote_on(trainer->ranks, &vote, error));
    if (vote.is_stopped) {
        PML_TRY(PML_FAIL(error, PML_E_INTERRUPTED, "interrupted"));
    }
    *loss = vote.weight > 0 ? vote.sum / vote.weight : NAN;

done:
    return status;
}
