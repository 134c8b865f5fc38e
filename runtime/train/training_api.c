/* Training for programs (runtime/pml.h): a model, its data and an optimizer in one handle, step by step. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/reader.h"
#include "runtime/pml.h"
#include "runtime/train/clip.h"
#include "runtime/train/train_setup.h"

struct pml_training_session {
    pml_file *file;
    pml_model *model;
    pml_trainer *trainer;
    pml_train_data data;
    pml_loader *train, *val;
    const pml_batch *batch;
    const pml_schedule *schedule;
    pml_settings schedule_settings;
    uint64_t n_epochs, n_scheduled; /* scheduler steps taken */
    bool is_training;
};

void pml_training_destroy(pml_training_session *session) {
    if (session != NULL) {
        pml_loader_destroy(session->train);
        pml_loader_destroy(session->val);
        pml_train_data_close(&session->data);
        pml_trainer_destroy(session->trainer);
        pml_model_destroy(session->model);
        pml_file_close(session->file);
        pml_free(session);
    }
}

pml_status pml_training_create(const pml_training_options *options, pml_training_session **session, pml_error *error) {
    pml_status status = PML_OK;
    pml_training_session *made = NULL;
    const pml_train_setup setup = {.data = &options->data,
                                   .n_data = options->data == NULL ? 0 : 1,
                                   .split = options->split,
                                   .validation = options->validation,
                                   .seed = options->seed};
    const pml_trainer_options trainer = {.loss = options->loss, .optimizer = options->optimizer};
    const pml_trainable_options trainable = {.backend = options->backend, .seed = options->seed};
    const size_t batch_size = options->batch_size == 0 ? 32 : options->batch_size;
    const pml_loader_options order = {
        .batch_size = batch_size, .seed = options->seed, .shuffle = true, .n_prefetch = 2};
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->n_epochs = options->n_epochs == 0 ? 1 : options->n_epochs;
    made->is_training = true;
    PML_TRY(pml_file_open(options->model, &made->file, error));
    PML_TRY(pml_model_create_trainable(made->file, &trainable, &made->model, error));
    PML_TRY(pml_trainer_create(made->model, &trainer, &made->trainer, error));
    PML_TRY(
        pml_train_data_open(&setup, made->file, made->model, made->trainer->objective.task->name, &made->data, error));
    PML_TRY(pml_loader_create(made->data.train, &order, &made->train, error));
    if (made->data.val != NULL) {
        PML_TRY(pml_loader_create(made->data.val, &(pml_loader_options){.batch_size = batch_size}, &made->val, error));
    }
    PML_TRY(pml_schedule_choose(options->schedule == NULL ? "constant" : options->schedule, &made->schedule,
                                &made->schedule_settings, error));
    *session = made;
    made = NULL;

done:
    pml_training_destroy(made);
    return status;
}

/* ---- parameters and modes ---- */
size_t pml_training_n_parameters(const pml_training_session *session) {
    return pml_model_n_parameters(session->model);
}

bool pml_training_parameter(const pml_training_session *session, size_t i_parameter, pml_training_tensor *tensor) {
    const pml_parameter *parameter = pml_model_parameter_at(session->model, i_parameter);
    if (parameter != NULL) {
        *tensor = (pml_training_tensor){parameter->name, parameter->values, parameter->gradient, parameter->count};
    }
    return parameter != NULL;
}

void pml_training_mode(pml_training_session *session, bool is_training) {
    session->is_training = is_training;
    pml_model_training_set(session->model, is_training);
}

/* ---- a step ---- */
pml_status pml_training_next(pml_training_session *session, bool *is_there, pml_error *error) {
    const pml_status status = pml_loader_next(session->train, &session->batch, error);
    *is_there = status == PML_OK && session->batch != NULL;
    return status;
}

pml_status pml_training_loss(pml_training_session *session, double *loss, pml_error *error) {
    pml_status status = PML_OK;
    if (session->batch == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "there is no batch: pml_training_next gives one"));
    }
    pml_model_training_set(session->model, session->is_training);
    pml_model_training_step_set(session->model, session->trainer->n_steps);
    session->trainer->objective.keeps_scores = session->is_training;
    PML_TRY(pml_objective_run(&session->trainer->objective, session->model, session->batch, error));
    PML_TRY(pml_objective_loss(&session->trainer->objective, session->model, session->batch, 1, session->is_training,
                               loss, error));

done:
    return status;
}

pml_status pml_backward(pml_training_session *session, pml_error *error) {
    double known_by_now = 0;
    return pml_objective_backward(&session->trainer->objective, session->model, NULL, NULL, &known_by_now, error);
}

double pml_clip_grad_norm(pml_training_session *session, double max_norm) {
    return pml_clip_gradient_norm(&session->trainer->set, max_norm, pml_model_context(session->model));
}

static double rate_factor(const pml_training_session *session) {
    const uint64_t n = pml_loader_n_batches(session->train);
    const pml_schedule_point point = {.i_step = session->n_scheduled,
                                      .n_steps = n * session->n_epochs,
                                      .i_epoch = session->n_scheduled / n,
                                      .n_epochs = session->n_epochs};
    return pml_schedule_factor(session->schedule, &session->schedule_settings, &point);
}

pml_status pml_training_step(pml_training_session *session, pml_error *error) {
    pml_step_result result;
    return pml_trainer_step(session->trainer, rate_factor(session), &result, error);
}

void pml_scheduler_step(pml_training_session *session) {
    session->n_scheduled++;
}

double pml_learning_rate(const pml_training_session *session) {
    return pml_setting(&session->trainer->settings, PML_OPTIMIZER_LR) * rate_factor(session);
}

pml_status pml_training_evaluate(pml_training_session *session, double *loss, pml_error *error) {
    pml_status status = PML_OK;
    if (session->val == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "there is nothing to evaluate on"));
    }
    PML_TRY(pml_trainer_evaluate(session->trainer, session->val, loss, error));

done:
    pml_model_training_set(session->model, session->is_training);
    return status;
}

/* ---- files ---- */
pml_status pml_training_save_model(const pml_training_session *session, const char *path, pml_error *error) {
    return pml_trained_model_write(session->model, session->data.extra, path, error);
}

static void write_recipe(const pml_training_session *session, char recipe[64]) {
    (void)snprintf(recipe, 64, "data %016llx", (unsigned long long)session->data.train->digest);
}

pml_status pml_training_save_state(const pml_training_session *session, const char *path, pml_error *error) {
    char recipe[64];
    const pml_run_point point = {.n_steps = session->trainer->n_steps,
                                 .position = pml_loader_tell(session->train),
                                 .n_logged = session->n_scheduled};
    write_recipe(session, recipe);
    return pml_checkpoint_write(session->trainer, &point, recipe, path, error);
}

pml_status pml_training_load_state(pml_training_session *session, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    char recipe[64];
    pml_run_point point;
    write_recipe(session, recipe);
    PML_TRY(pml_checkpoint_read(session->trainer, path, recipe, &point, error));
    PML_TRY(pml_loader_seek(session->train, point.position, error));
    session->n_scheduled = point.n_logged;
    session->batch = NULL;

done:
    return status;
}
