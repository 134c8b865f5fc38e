/* An objective that is a training of ours: parameters are settings of it, and its value is the best validation loss. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/cli/tune_parts.h"

/* ---- what parameters may be called ---- */
typedef struct count_name { /* a whole number of the setup */
    const char *name;
    size_t offset;
} count_name;

static const count_name counts[] = {{"epochs", offsetof(pml_train_setup, n_epochs)},
                                    {"steps", offsetof(pml_train_setup, n_steps)},
                                    {"batch_size", offsetof(pml_train_setup, batch_size)},
                                    {"patience", offsetof(pml_train_setup, patience)},
                                    {"seed", offsetof(pml_train_setup, seed)}};
/* What has a name and settings: "optimizer", and "optimizer.lr" for one of its settings. */
enum { OPTIMIZER, SCHEDULE, LOSS, N_KINDS };
static const char *const kinds[N_KINDS] = {"optimizer", "schedule", "loss"};
static const char *const kind_names[N_KINDS] = {"adamw", "constant", NULL}; /* where nothing is said */

static const count_name *find_count(const char *name) {
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (strcmp(counts[i].name, name) == 0) {
            return &counts[i];
        }
    }
    return NULL;
}

/* The kind that a name belongs to, or N_KINDS; *setting is behind the point, or NULL. */
static size_t find_kind(const char *name, const char **setting) {
    for (size_t i = 0; i < N_KINDS; i++) {
        const size_t length = strlen(kinds[i]);
        if (strncmp(name, kinds[i], length) == 0 && (name[length] == '\0' || name[length] == '.')) {
            *setting = name[length] == '.' ? name + length + 1 : NULL;
            return i;
        }
    }
    return N_KINDS;
}

static bool is_whole(const pml_distribution *d) {
    bool whole = d->kind == PML_DISTRIBUTION_INT && d->low >= 0;
    if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
        whole = true;
        for (size_t i = 0; i < d->n_choices; i++) {
            whole = whole && d->choices[i].kind == PML_CHOICE_INT && d->choices[i].integer >= 0;
        }
    }
    return whole;
}

pml_status pml_tune_training_check(const pml_tune_training *training, const pml_space *space, pml_error *error) {
    for (size_t i = 0; i < space->n_parameters; i++) {
        const pml_space_parameter *p = &space->parameters[i];
        const char *setting = NULL;
        const size_t kind = find_kind(p->name, &setting);
        pml_quoted quoted;
        if (find_count(p->name) == NULL && strcmp(p->name, "clip_norm") != 0 && kind == N_KINDS) {
            return PML_FAIL(error, PML_E_CONFIG,
                            "%s is no setting of a training: epochs, steps, batch_size, patience, seed, clip_norm, "
                            "optimizer, schedule, loss, and optimizer.lr and the like",
                            pml_quote(&quoted, p->name));
        }
        if (find_count(p->name) != NULL && !is_whole(&p->distribution)) {
            return PML_FAIL(error, PML_E_CONFIG, "%s is a whole number", p->name);
        }
        if (kind == LOSS && setting != NULL && training->setup.trainer.loss == NULL &&
            pml_space_find(space, "loss") == SIZE_MAX) {
            return PML_FAIL(error, PML_E_CONFIG, "%s: which loss? --loss names it", p->name);
        }
    }
    return PML_OK;
}

/* ---- one trial's setup ---- */
typedef struct one_training {
    pml_train_setup setup;
    char *specs[N_KINDS], *folder; /* owned, in the setup */
    pml_study *study;
    const pml_trial *trial;
    int64_t n_evaluations;
    bool is_pruned;
} one_training;

static void one_training_deinit(one_training *one) {
    for (size_t i = 0; i < N_KINDS; i++) {
        pml_free(one->specs[i]);
    }
    pml_free(one->folder);
}

/* Adds "text" to an owned text. */
static pml_status extend(char **text, const char *more, pml_error *error) {
    char *longer = NULL;
    const size_t had = *text != NULL ? strlen(*text) : 0;
    const pml_status status = pml_alloc(had + strlen(more) + 1, 1, &longer, error);
    if (status == PML_OK) {
        memcpy(longer, *text != NULL ? *text : "", had);
        memcpy(longer + had, more, strlen(more) + 1);
        pml_free(*text);
        *text = longer;
    }
    return status;
}

/* Settings come behind the name, whichever of both stands first in the space. */
static pml_status add_to_spec(one_training *one, const pml_tune_training *training, const pml_space *space,
                              const double *values, size_t kind, pml_error *error) {
    const char *const said[N_KINDS] = {training->setup.trainer.optimizer, training->setup.schedule,
                                       training->setup.trainer.loss};
    pml_status status = PML_OK;
    char *text = NULL;
    const size_t i_name = pml_space_find(space, kinds[kind]);
    if (i_name != SIZE_MAX && !isnan(values[i_name])) {
        PML_TRY(pml_distribution_value_text(&space->parameters[i_name].distribution, values[i_name], &one->specs[kind],
                                            error));
    } else if (said[kind] != NULL) {
        PML_TRY(extend(&one->specs[kind], said[kind], error));
    }
    for (size_t i = 0; i < space->n_parameters; i++) {
        const char *setting = NULL;
        if (find_kind(space->parameters[i].name, &setting) != kind || setting == NULL || isnan(values[i])) {
            continue;
        }
        if (one->specs[kind] == NULL) {
            PML_TRY(extend(&one->specs[kind], kind_names[kind] != NULL ? kind_names[kind] : "", error));
        }
        PML_TRY(extend(&one->specs[kind], strchr(one->specs[kind], ':') == NULL ? ":" : ",", error));
        PML_TRY(pml_distribution_value_text(&space->parameters[i].distribution, values[i], &text, error));
        PML_TRY(extend(&one->specs[kind], setting, error));
        PML_TRY(extend(&one->specs[kind], "=", error));
        PML_TRY(extend(&one->specs[kind], text, error));
        pml_free(text);
        text = NULL;
    }
done:
    pml_free(text);
    return status;
}

static double number_of(const pml_distribution *d, double value) {
    if (d->kind != PML_DISTRIBUTION_CATEGORICAL) {
        return value;
    }
    const pml_choice *choice = &d->choices[(size_t)value];
    return choice->kind == PML_CHOICE_FLOAT ? choice->number : (double)choice->integer;
}

static pml_status make_setup(one_training *one, const pml_tune_training *training, const pml_space *space,
                             const double *values, pml_error *error) {
    pml_status status = PML_OK;
    char name[48];
    one->setup = training->setup;
    for (size_t i = 0; i < space->n_parameters; i++) {
        const count_name *count = find_count(space->parameters[i].name);
        const double number = isnan(values[i]) ? 0 : number_of(&space->parameters[i].distribution, values[i]);
        if (!isnan(values[i]) && count != NULL) {
            *(uint64_t *)(void *)((char *)&one->setup + count->offset) = (uint64_t)number;
        } else if (!isnan(values[i]) && strcmp(space->parameters[i].name, "clip_norm") == 0) {
            one->setup.trainer.clip_norm = number;
        }
    }
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        PML_TRY(add_to_spec(one, training, space, values, kind, error));
    }
    one->setup.trainer.optimizer = one->specs[OPTIMIZER];
    one->setup.schedule = one->specs[SCHEDULE];
    one->setup.trainer.loss = one->specs[LOSS];
    (void)snprintf(name, sizeof name, "/trial-%llu", (unsigned long long)one->trial->number);
    PML_TRY(extend(&one->folder, training->folder, error));
    PML_TRY(extend(&one->folder, name, error));
    one->setup.folder = one->folder;
done:
    return status;
}

/* ---- the trial ---- */
static pml_status on_step(void *user, const pml_run_status *status, pml_error *error) {
    one_training *one = user;
    if (!status->is_evaluation) {
        return PML_OK;
    }
    pml_status told = pml_study_report(one->study, one->trial, one->n_evaluations++, status->eval_loss, error);
    if (told == PML_OK) {
        told = pml_study_should_prune(one->study, one->trial, &one->is_pruned, error);
    }
    return told == PML_OK && one->is_pruned ? PML_E_INTERRUPTED : told;
}

static pml_status evaluate(const pml_tune_objective *objective, pml_study *study, const pml_trial *trial,
                           const double *values, pml_outcome *outcome, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tune_training *training = objective->state;
    one_training one = {.study = study, .trial = trial};
    pml_run_result result = {0};
    pml_error failure = {0};
    PML_TRY(make_setup(&one, training, objective->space, values, error));
    one.setup.watch = on_step;
    one.setup.user = &one;
    status = pml_train_setup_run(&one.setup, &result, &failure);
    const double value = isnan(result.best_loss) ? result.train_loss : result.best_loss;
    if (status == PML_E_INTERRUPTED && one.is_pruned) {
        *outcome = (pml_outcome){.state = PML_TRIAL_PRUNED};
        status = PML_OK;
    } else if (status == PML_E_NUMERIC) { /* it went out of bounds: a bad trial, not a bad search */
        *outcome = (pml_outcome){.state = PML_TRIAL_FAILED};
        (void)snprintf(outcome->cause, sizeof outcome->cause, "%.250s", failure.message);
        status = PML_OK;
    } else if (status == PML_OK) {
        *outcome = (pml_outcome){.state = PML_TRIAL_COMPLETE, .value = value};
    } else if (error != NULL) {
        *error = failure;
    }
done:
    one_training_deinit(&one);
    return status;
}

pml_status pml_tune_training_folder_make(const pml_tune_training *training, pml_error *error) {
    return mkdir(training->folder, 0777) == 0 || errno == EEXIST
               ? PML_OK
               : PML_FAIL(error, PML_E_IO, "%s: %s", training->folder, strerror(errno));
}

pml_tune_objective pml_tune_training_objective(const pml_tune_training *training, const pml_space *space) {
    return (pml_tune_objective){.evaluate = evaluate, .space = space, .state = training};
}
