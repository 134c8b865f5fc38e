/* The loop of a run. A step begins and ends with everything that a checkpoint holds in one piece: weights, moments,
 * running statistics and the loader's position; what interrupts a step takes it back. */
#include "runtime/train/train_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/log.h"
#include "runtime/pml.h"
#include "runtime/train/run_folder.h"

#define LOG_EVERY 10u
#define KEPT 2u

typedef struct run {
    pml_trainer *trainer;
    const pml_run_options *o;
    pml_run_result *result;
    const pml_schedule *schedule;
    pml_settings schedule_settings;
    uint64_t steps_per_epoch, n_steps, n_epochs;
    pml_run_point point;
    pml_trainer_state state;
    pml_train_log *log;
    float *statistics; /* as they were when the step began */
    uint64_t n_samples;
    double eval_loss;
    pml_step_result step;
    bool is_over;
} run;

/* ---- sizes ---- */
static pml_status plan(run *r, pml_error *error) {
    pml_status status = PML_OK;
    const uint64_t n_batches = pml_loader_n_batches(r->o->train), each = r->trainer->n_accumulate;
    r->steps_per_epoch = n_batches / each + (n_batches % each != 0);
    if (r->o->n_epochs == 0 && r->o->n_steps == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a run needs an end: a number of epochs or of steps"));
    }
    const uint64_t by_epochs = r->o->n_epochs == 0                                ? UINT64_MAX
                               : r->o->n_epochs > UINT64_MAX / r->steps_per_epoch ? UINT64_MAX
                                                                                  : r->o->n_epochs * r->steps_per_epoch;
    r->n_steps = r->o->n_steps != 0 && r->o->n_steps < by_epochs ? r->o->n_steps : by_epochs;
    r->n_epochs = r->n_steps / r->steps_per_epoch + (r->n_steps % r->steps_per_epoch != 0);
    PML_TRY(pml_schedule_choose(r->o->schedule == NULL ? "constant" : r->o->schedule, &r->schedule,
                                &r->schedule_settings, error));

done:
    return status;
}

static double epoch_of(const run *r) {
    return (double)r->point.n_steps / (double)r->steps_per_epoch;
}

/* ---- running statistics: what a forward pass changes ---- */
static void copy_statistics(const run *r, bool back) {
    size_t at = 0;
    for (size_t i = 0; i < pml_model_n_parameters(r->trainer->model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(r->trainer->model, i);
        if (parameter->gradient == NULL) {
            float *to = back ? parameter->values : r->statistics + at;
            memcpy(to, back ? r->statistics + at : parameter->values, parameter->count * sizeof *to);
            at += parameter->count;
        }
    }
}

static pml_status reserve_statistics(run *r, pml_error *error) {
    size_t count = 1;
    for (size_t i = 0; i < pml_model_n_parameters(r->trainer->model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(r->trainer->model, i);
        count += parameter->gradient == NULL ? parameter->count : 0;
    }
    return pml_alloc(count, sizeof *r->statistics, &r->statistics, error);
}

/* ---- records ---- */
/* Rank 0 writes; the others know what it knows. */
static bool writes(const run *r) {
    return pml_ranks_is_first(r->trainer->ranks);
}

static pml_status record(run *r, const pml_log_value *values, size_t n_values, pml_error *error) {
    r->state.global_step = r->point.n_steps;
    r->state.epoch = epoch_of(r);
    const pml_log_record entry = {
        .step = r->point.n_steps, .epoch = r->state.epoch, .values = values, .n_values = n_values};
    return writes(r) ? pml_train_log_write(r->log, &entry, error) : PML_OK;
}

static pml_status watch(run *r, bool is_evaluation, bool is_best, pml_error *error) {
    const pml_run_status status = {.i_step = r->point.n_steps,
                                   .n_steps = r->n_steps,
                                   .epoch = epoch_of(r),
                                   .n_samples = r->n_samples,
                                   .step = r->step,
                                   .eval_loss = r->eval_loss,
                                   .is_evaluation = is_evaluation,
                                   .is_best = is_best};
    return r->o->watch == NULL || !writes(r) ? PML_OK : r->o->watch(r->o->user, &status, error);
}

/* Errors: MISMATCH (a rank has other weights than rank 0), MEMORY. */
static pml_status compare_weights(const run *r, pml_error *error) {
    const pml_parameter_set *set = &r->trainer->set;
    uint64_t digest = 0;
    for (size_t i = 0; i < set->n_views && pml_ranks_are_several(r->trainer->ranks); i++) {
        digest = XXH3_64bits_withSeed(set->views[i].value, set->views[i].count * sizeof(float), digest);
    }
    return pml_ranks_compare(r->trainer->ranks, digest, "weights", error);
}

static pml_status save_checkpoint(run *r, pml_error *error) {
    pml_status status = PML_OK;
    char path[PML_RUN_PATH_BYTES];
    const uint64_t n_keep = r->o->n_keep == 0 ? KEPT : r->o->n_keep;
    PML_TRY(compare_weights(r, error));
    if (!writes(r)) {
        goto done;
    }
    /* Logs first: they may be ahead of a checkpoint, never behind it. */
    PML_TRY(pml_train_log_flush(r->log, error));
    PML_TRY(pml_run_folder_checkpoint(r->o->folder, r->point.n_steps, path, error));
    PML_TRY(pml_checkpoint_write(r->trainer, &r->point, r->o->recipe == NULL ? "" : r->o->recipe, path, error));
    PML_TRY(pml_run_folder_prune(r->o->folder, n_keep, error));

done:
    return status;
}

/* What has been trained, in a file of that name. */
static pml_status write_trained(run *r, const char *name, char path[PML_RUN_PATH_BYTES], pml_error *error) {
    pml_status status = PML_OK;
    const pml_model *model = r->trainer->model;
    PML_TRY(pml_run_folder_path(r->o->folder, name, path, error));
    if (!writes(r)) {
        goto done;
    }
    PML_TRY(pml_model_adapter_recipe(model) != NULL ? pml_trained_adapter_write(model, r->o->extra, path, error)
                                                    : pml_trained_model_write(model, r->o->extra, path, error));

done:
    return status;
}

/* ---- evaluation ---- */
static pml_status evaluate(run *r, pml_error *error) {
    pml_status status = PML_OK;
    char path[PML_RUN_PATH_BYTES];
    bool is_swapped = false;
    if (r->o->val == NULL) {
        goto done;
    }
    pml_trainer_swap_average(r->trainer);
    is_swapped = true;
    PML_TRY(pml_trainer_evaluate(r->trainer, r->o->val, &r->eval_loss, error));
    r->point.evaluated_step = r->point.n_steps;
    const bool is_best =
        isfinite(r->eval_loss) && (!r->point.has_best || r->eval_loss < r->point.best_loss - r->o->min_delta);
    if (is_best) {
        PML_TRY(write_trained(r, PML_RUN_BEST, path, error));
        r->point.has_best = true;
        r->point.best_loss = r->eval_loss;
        r->point.best_step = r->point.n_steps;
        r->point.n_bad_evaluations = 0;
    } else {
        r->point.n_bad_evaluations++;
    }
    const pml_log_value value = {"eval_loss", r->eval_loss};
    PML_TRY(record(r, &value, 1, error));
    if (is_best) {
        PML_TRY(pml_trainer_state_set_best(&r->state, r->eval_loss, path, error));
    }
    if (r->o->patience != 0 && r->point.n_bad_evaluations >= r->o->patience) {
        r->is_over = true;
        r->result->is_early = true;
    }
    PML_TRY(watch(r, true, is_best, error));

done:
    if (is_swapped) {
        pml_trainer_swap_average(r->trainer);
    }
    return status;
}

/* ---- steps ---- */
static double rate_factor(const run *r) {
    const pml_schedule_point point = {.i_step = r->point.n_steps,
                                      .n_steps = r->n_steps,
                                      .i_epoch = r->point.n_steps / r->steps_per_epoch,
                                      .n_epochs = r->n_epochs};
    return pml_schedule_factor(r->schedule, &r->schedule_settings, &point);
}

/* Batches until the step is full or the epoch ends. *is_epoch_end also where nothing was left of it. */
static pml_status gather(run *r, bool *is_epoch_end, pml_error *error) {
    pml_status status = PML_OK;
    *is_epoch_end = false;
    while (!pml_trainer_is_full(r->trainer) && !*is_epoch_end) {
        const pml_batch *batch;
        PML_TRY(pml_loader_next(r->o->train, &batch, error));
        if (batch == NULL) {
            *is_epoch_end = true;
        } else if (batch->n_all > 0) {
            PML_TRY(pml_trainer_add(r->trainer, batch, error));
            r->n_samples += batch->n_all;
        }
    }

done:
    return status;
}

static pml_status check_loss(run *r, pml_error *error) {
    if (r->point.n_steps == 1) {
        r->point.first_loss = r->step.loss;
    }
    if (r->step.loss > PML_EXPLODED * (fabs(r->point.first_loss) + 1e-3)) {
        return PML_FAIL(error, PML_E_NUMERIC,
                        "step %" PRIu64 ": the loss is %g, after %g in the first step: it explodes", r->point.n_steps,
                        r->step.loss, r->point.first_loss);
    }
    return PML_OK;
}

static pml_status log_step(run *r, pml_error *error) {
    const uint64_t every = r->o->log_every == 0 ? LOG_EVERY : r->o->log_every;
    r->point.logged_loss += r->step.loss;
    r->point.n_logged++;
    if (r->point.n_steps % every != 0 && r->point.n_steps != r->n_steps) {
        return PML_OK;
    }
    const pml_log_value values[] = {{"loss", r->point.logged_loss / (double)r->point.n_logged},
                                    {"grad_norm", r->step.gradient_norm},
                                    {"learning_rate", r->step.learning_rate}};
    r->point.logged_loss = 0;
    r->point.n_logged = 0;
    return record(r, values, sizeof values / sizeof values[0], error);
}

static bool is_due(const run *r, uint64_t every) {
    return every == 0 ? r->point.n_steps % r->steps_per_epoch == 0 : r->point.n_steps % every == 0;
}

/* What follows a step, once: also when a run was interrupted between the two. */
static pml_status after_step(run *r, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_last = r->point.n_steps >= r->n_steps;
    if ((is_due(r, r->o->eval_every) || is_last) && r->point.evaluated_step != r->point.n_steps) {
        PML_TRY(evaluate(r, error));
    }
    if (is_due(r, r->o->save_every) || is_last || r->is_over) {
        PML_TRY(save_checkpoint(r, error));
    }
    r->is_over = r->is_over || is_last;

done:
    return status;
}

static pml_status one_step(run *r, pml_error *error) {
    pml_status status = PML_OK;
    bool is_epoch_end;
    PML_TRY(gather(r, &is_epoch_end, error));
    if (r->trainer->n_added == 0) {
        goto done; /* the epoch had ended with the step before */
    }
    PML_TRY(pml_trainer_step(r->trainer, rate_factor(r), &r->step, error));
    r->point.n_steps = r->trainer->n_steps;
    r->point.position = pml_loader_tell(r->o->train);
    copy_statistics(r, false);
    r->result->train_loss = r->step.loss;
    PML_TRY(check_loss(r, error));
    PML_TRY(log_step(r, error));
    PML_TRY(watch(r, false, false, error));
    PML_TRY(after_step(r, error));
    if (r->step.is_stopped && !r->is_over) {
        PML_TRY(PML_FAIL(error, PML_E_INTERRUPTED, "interrupted"));
    }

done:
    return status;
}

/* ---- beginning and end ---- */
/* Rank 0 has read the folder or begun anew: all others begin where it stands. */
static pml_status share_start(run *r, pml_error *error) {
    pml_status status = PML_OK;
    pml_trainer *trainer = r->trainer;
    const pml_ranks *ranks = trainer->ranks;
    if (!pml_ranks_are_several(ranks)) {
        goto done;
    }
    for (size_t i = 0; i < pml_model_n_parameters(trainer->model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(trainer->model, i);
        pml_ranks_broadcast(ranks, parameter->values, parameter->count * sizeof *parameter->values);
    }
    pml_ranks_broadcast(ranks, trainer->slots, trainer->n_slots * trainer->slots_count * sizeof *trainer->slots);
    pml_ranks_broadcast(ranks, &r->point, sizeof r->point);
    pml_ranks_broadcast(ranks, &trainer->n_steps, sizeof trainer->n_steps);
    if (!writes(r)) {
        PML_TRY(pml_loader_seek(r->o->train, r->point.position, error));
        r->is_over = r->o->patience != 0 && r->point.n_bad_evaluations >= r->o->patience;
    }

done:
    return status;
}

/* Puts trainer, loader, history and point where the newest checkpoint has them. */
static pml_status resume(run *r, pml_error *error) {
    pml_status status = PML_OK;
    char path[PML_RUN_PATH_BYTES];
    pml_trainer_state logged = {0};
    bool is_there = false;
    PML_TRY(pml_run_folder_newest(r->o->folder, path, &is_there, error));
    if (!is_there) {
        goto done;
    }
    PML_TRY(pml_checkpoint_read(r->trainer, path, r->o->recipe == NULL ? "" : r->o->recipe, &r->point, error));
    PML_TRY(pml_loader_seek(r->o->train, r->point.position, error));
    PML_TRY(pml_run_folder_path(r->o->folder, PML_TRAINER_STATE_NAME, path, error));
    if (access(path, F_OK) == 0) {
        PML_TRY(pml_trainer_state_read(path, &logged, error));
    }
    for (size_t i = 0; i < logged.log_history.n_entries; i++) {
        const pml_log_record entry = pml_log_history_at(&logged.log_history, i);
        if (entry.step <= r->point.n_steps) {
            PML_TRY(pml_log_history_add(&r->state.log_history, &entry, error));
        }
    }
    r->state.global_step = r->point.n_steps;
    r->result->resumed_step = r->point.n_steps;
    if (r->point.has_best) {
        r->state.global_step = r->point.best_step;
        PML_TRY(pml_run_folder_path(r->o->folder, PML_RUN_BEST, path, error));
        PML_TRY(pml_trainer_state_set_best(&r->state, r->point.best_loss, path, error));
        r->state.global_step = r->point.n_steps;
    }
    r->is_over = r->o->patience != 0 && r->point.n_bad_evaluations >= r->o->patience;
    r->result->is_early = r->is_over;

done:
    pml_trainer_state_deinit(&logged);
    return status;
}

static pml_status open_log(run *r, pml_error *error) {
    r->state.max_steps = r->n_steps;
    r->state.num_train_epochs = r->n_epochs;
    r->state.logging_steps = r->o->log_every == 0 ? LOG_EVERY : r->o->log_every;
    r->state.eval_steps = r->o->eval_every == 0 ? r->steps_per_epoch : r->o->eval_every;
    r->state.save_steps = r->o->save_every == 0 ? r->steps_per_epoch : r->o->save_every;
    r->state.has_early_stopping = r->o->patience != 0;
    r->state.early_stopping_patience = r->o->patience;
    r->state.early_stopping_threshold = r->o->min_delta;
    const pml_train_log_setup setup = {
        .folder = r->o->folder, .state = &r->state, .is_resumed = r->point.n_steps > 0, .forms = r->o->logs};
    return pml_train_log_open(&setup, &r->log, error);
}

/* The best model, or the last, under its name. */
static pml_status publish(run *r, pml_error *error) {
    pml_status status = PML_OK;
    char path[PML_RUN_PATH_BYTES];
    pml_file *best = NULL;
    if (r->point.has_best) {
        PML_TRY(pml_run_folder_path(r->o->folder, PML_RUN_BEST, path, error));
        PML_TRY(pml_file_open(path, &best, error));
        PML_TRY(pml_model_parameters_read(r->trainer->model, best, error));
    } else {
        pml_trainer_swap_average(r->trainer);
    }
    PML_TRY(write_trained(r, r->result->name, path, error));
    PML_TRY(pml_train_log_flush(r->log, error));

done:
    pml_file_close(best);
    return status;
}

/* What a step that was not finished did is taken back, and a checkpoint keeps all before it. */
static void keep_interrupted(run *r, pml_error *error) {
    pml_error other = {0};
    char path[PML_RUN_PATH_BYTES];
    const bool was_requested = pml_cancel_is_requested(); /* else whoever watches ended it */
    copy_statistics(r, true);
    pml_cancel_reset();
    if (save_checkpoint(r, &other) == PML_OK &&
        pml_run_folder_checkpoint(r->o->folder, r->point.n_steps, path, &other) == PML_OK) {
        *error = (pml_error){0};
        pml_log(PML_LOG_WARNING, "the run stops here; --resume goes on from %s", path);
        (void)PML_FAIL(error, PML_E_INTERRUPTED, "interrupted; --resume goes on from %s", path);
    }
    if (was_requested) {
        pml_cancel_request();
    }
}

static void name_checkpoint(const run *r, pml_error *error) {
    char path[PML_RUN_PATH_BYTES], message[sizeof error->message];
    pml_error other = {0};
    bool is_there = false;
    if (pml_run_folder_newest(r->o->folder, path, &is_there, &other) == PML_OK && is_there) {
        (void)snprintf(message, sizeof message, "%s", error->message);
        (void)PML_FAIL(error, PML_E_NUMERIC, "%.600s; the last good checkpoint is %.300s", message, path);
    }
}

pml_status pml_train_run(pml_trainer *trainer, const pml_run_options *options, pml_run_result *result,
                         pml_error *error) {
    pml_status status = PML_OK;
    run r = {.trainer = trainer, .o = options, .result = result, .eval_loss = NAN};
    int lock = -1;
    *result =
        (pml_run_result){.train_loss = NAN,
                         .best_loss = NAN,
                         .name = pml_model_adapter_recipe(trainer->model) != NULL ? PML_RUN_ADAPTER : PML_RUN_MODEL};
    PML_TRY(plan(&r, error));
    PML_TRY(reserve_statistics(&r, error));
    /* One rank cannot leave a step that the others are in: all stop behind it (pml_step_result.is_stopped). */
    pml_cancel_hold(pml_ranks_are_several(trainer->ranks));
    if (writes(&r)) {
        PML_TRY(pml_run_folder_lock(options->folder, &lock, error));
        PML_TRY(options->resume ? resume(&r, error) : pml_run_folder_refuse(options->folder, error));
        PML_TRY(open_log(&r, error));
    }
    PML_TRY(share_start(&r, error));
    copy_statistics(&r, false);
    for (bool is_first = true; !r.is_over; is_first = false) {
        status = is_first && r.point.n_steps > 0 ? after_step(&r, error) : one_step(&r, error);
        if (status == PML_E_INTERRUPTED) {
            keep_interrupted(&r, error);
        } else if (status == PML_E_NUMERIC) {
            name_checkpoint(&r, error);
        }
        PML_TRY(status);
    }
    if (writes(&r)) {
        PML_TRY(publish(&r, error));
    }
    result->n_steps = r.point.n_steps;
    result->epoch = epoch_of(&r);
    result->best_loss = r.point.has_best ? r.point.best_loss : NAN;
    result->best_step = r.point.best_step;

done:
    pml_cancel_hold(false);
    pml_train_log_close(r.log);
    pml_trainer_state_deinit(&r.state);
    pml_free(r.statistics);
    if (lock >= 0) {
        (void)close(lock);
    }
    return status;
}
