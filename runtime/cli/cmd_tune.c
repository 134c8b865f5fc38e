/* pml-train tune: a search for the parameters of the least or greatest value of an objective. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/base/cpu_count.h"
#include "runtime/cli/tune_parts.h"
#include "runtime/tune/study_log.h"

enum { MOST_WORKERS = 1024, DEFAULT_RETRIES = 3 };

typedef struct tune_options {
    pml_common_options common;
    const char *space, *command, *storage, *study_name, *direction, *objective, *sampler, *pruner, *timeout, *show;
    pml_option_u64 n_trials, seed, workers, max_retries, stale;
    /* of a training */
    pml_option_list data;
    const char *out, *split, *validation, *optimizer, *schedule, *loss;
    pml_option_u64 epochs, batch_size, threads;
    bool list;
} tune_options;

static const pml_option option_table[] = {
    {"space", 0, PML_OPTION_TEXT, "FILE", NULL, "the search space: parameters as JSON", offsetof(tune_options, space)},
    {"command", 0, PML_OPTION_TEXT, "TEXT", NULL, "the objective: a program; {NAME} is a parameter",
     offsetof(tune_options, command)},
    {"data", 0, PML_OPTION_LIST, "FILE", NULL, "the objective: training of the model FILE on these",
     offsetof(tune_options, data)},
    {"out", 'o', PML_OPTION_TEXT, "DIR", NULL, "where each training has a folder", offsetof(tune_options, out)},
    {"split", 0, PML_OPTION_TEXT, "SPLIT", NULL, NULL, offsetof(tune_options, split)},
    {"validation", 0, PML_OPTION_TEXT, "FILE", NULL, NULL, offsetof(tune_options, validation)},
    {"optimizer", 0, PML_OPTION_TEXT, "SPEC", NULL, NULL, offsetof(tune_options, optimizer)},
    {"schedule", 0, PML_OPTION_TEXT, "SPEC", NULL, NULL, offsetof(tune_options, schedule)},
    {"loss", 0, PML_OPTION_TEXT, "SPEC", NULL, NULL, offsetof(tune_options, loss)},
    {"epochs", 0, PML_OPTION_U64, "N", NULL, NULL, offsetof(tune_options, epochs)},
    {"batch-size", 0, PML_OPTION_U64, "N", NULL, NULL, offsetof(tune_options, batch_size)},
    {"threads", 't', PML_OPTION_U64, "N", NULL, NULL, offsetof(tune_options, threads)},
    {"n-trials", 'n', PML_OPTION_U64, "N", NULL, "trials that are begun", offsetof(tune_options, n_trials)},
    {"timeout", 0, PML_OPTION_TEXT, "SECONDS", NULL, "no trial begins later", offsetof(tune_options, timeout)},
    {"storage", 0, PML_OPTION_TEXT, "FILE", NULL, "the journal, Optuna's ($OPTUNA_STORAGE)",
     offsetof(tune_options, storage)},
    {"study-name", 0, PML_OPTION_TEXT, "NAME", NULL, NULL, offsetof(tune_options, study_name)},
    {"direction", 0, PML_OPTION_TEXT, "minimize|maximize", "minimize|maximize", "which values are better",
     offsetof(tune_options, direction)},
    {"objective", 0, PML_OPTION_TEXT, "NAME", NULL, NULL, offsetof(tune_options, objective)},
    {"sampler", 0, PML_OPTION_TEXT, "SPEC", NULL, "tpe, random, grid: tpe:group=true (see --list)",
     offsetof(tune_options, sampler)},
    {"pruner", 0, PML_OPTION_TEXT, "SPEC", NULL, "none, median, percentile, sha, hyperband",
     offsetof(tune_options, pruner)},
    {"seed", 0, PML_OPTION_U64, "N", NULL, "of everything drawn by chance", offsetof(tune_options, seed)},
    {"workers", 'w', PML_OPTION_U64, "N", NULL, "processes at a time (default: 1)", offsetof(tune_options, workers)},
    {"max-retries", 0, PML_OPTION_U64, "N", NULL, NULL, offsetof(tune_options, max_retries)},
    {"stale", 0, PML_OPTION_U64, "SECONDS", NULL, NULL, offsetof(tune_options, stale)},
    {"show", 0, PML_OPTION_TEXT, "best|trials", "best|trials", "what the study holds; searches nothing",
     offsetof(tune_options, show)},
    {"list", 0, PML_OPTION_FLAG, NULL, NULL, "samplers, pruners and their settings", offsetof(tune_options, list)},
    {NULL, 0, PML_OPTION_FLAG, NULL, NULL, NULL, 0}};

typedef struct settings {
    pml_settings sampler, pruner;
} settings;

static pml_status choose_tuners(const tune_options *o, pml_study_options *study, settings *s, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_trial_sampler_choose(o->sampler != NULL ? o->sampler : "tpe", &study->sampler, &s->sampler, error));
    PML_TRY(pml_pruner_choose(o->pruner != NULL ? o->pruner : "none", &study->pruner, &s->pruner, error));
    study->sampler_settings = &s->sampler;
    study->pruner_settings = &s->pruner;
done:
    if (status == PML_E_NOT_FOUND) {
        status = PML_E_ARGUMENT; /* it is the command line that is wrong */
    }
    return status;
}

/* Optuna's variable names a URL where it is a database; those are not ours. */
static const char *storage_of(const tune_options *o) {
    const char *named = getenv("OPTUNA_STORAGE");
    const bool is_file = named != NULL && named[0] != '\0' && strstr(named, "://") == NULL;
    return o->storage != NULL ? o->storage : is_file ? named : NULL;
}

static pml_status choose_study(const tune_options *o, pml_study_options *study, pml_error *error) {
    study->path = storage_of(o);
    study->name = o->study_name;
    study->objective = o->objective;
    study->max_retries = o->max_retries.is_set ? o->max_retries.value : DEFAULT_RETRIES;
    study->stale_ms = o->stale.is_set && o->stale.value < UINT64_MAX / 2000 ? o->stale.value * 1000 : 0;
    study->seed = o->seed.value;
    if (o->direction != NULL) {
        study->direction = strcmp(o->direction, "maximize") == 0 ? PML_STUDY_MAXIMIZE : PML_STUDY_MINIMIZE;
    }
    /* The order of a grid is the same for all who share it. */
    if (!o->seed.is_set && study->sampler->begin == NULL &&
        getrandom(&study->seed, sizeof study->seed, 0) != (ssize_t)sizeof study->seed) {
        return PML_FAIL(error, PML_E_IO, "cannot get random bytes: %s", strerror(errno));
    }
    return PML_OK;
}

static pml_status read_timeout(const tune_options *o, pml_search *search, pml_error *error) {
    char *end = NULL;
    const double seconds = o->timeout != NULL ? strtod(o->timeout, &end) : 0;
    if (o->timeout == NULL) {
        return PML_OK;
    }
    if (end == o->timeout || *end != '\0' || !(seconds > 0 && seconds < 1e9)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--timeout is a number of seconds above 0");
    }
    search->has_deadline = true;
    search->deadline_ms = pml_study_now_ms() + (int64_t)(seconds * 1000);
    return PML_OK;
}

static pml_status check(const tune_options *o, const char *file, const pml_search *search, pml_error *error) {
    if (o->space == NULL || (o->command == NULL) == (file == NULL)) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "tune needs --space FILE, and --command TEXT or a model (or --show, --list)");
    }
    if (file != NULL && (o->out == NULL || o->data.count == 0)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "tune with a model needs --%s",
                        o->out == NULL ? "out DIR" : "data FILE");
    }
    if (!search->has_limit && !search->has_deadline && search->study.sampler->is_exhausted == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "tune needs --n-trials N or --timeout SECONDS: when is it to end?");
    }
    if (search->n_workers < 1 || search->n_workers > MOST_WORKERS) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--workers is 1 to %d", MOST_WORKERS);
    }
    if (search->n_workers > 1 && search->study.path == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "several workers need --storage FILE: it is where they meet");
    }
    return PML_OK;
}

/* Several workers share the processors. */
static pml_status make_training(const tune_options *o, const char *file, const pml_search *search, pml_space *space,
                                pml_tune_training *training, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_threads = (size_t)o->threads.value;
    if (!o->threads.is_set && search->n_workers > 1) {
        PML_TRY(pml_cpu_threads(&n_threads, error));
        n_threads = n_threads > search->n_workers ? n_threads / (size_t)search->n_workers : 1;
    }
    *training = (pml_tune_training){.folder = o->out,
                                    .setup = {.model = file,
                                              .n_threads = n_threads,
                                              .data = o->data.items,
                                              .n_data = o->data.count,
                                              .split = o->split,
                                              .validation = o->validation,
                                              .trainer = {.optimizer = o->optimizer, .loss = o->loss},
                                              .schedule = o->schedule,
                                              .n_epochs = o->epochs.value,
                                              .batch_size = o->batch_size.value,
                                              .n_keep = 1}};
    PML_TRY(pml_tune_training_check(training, space, error));
    PML_TRY(pml_tune_training_folder_make(training, error));
done:
    return status;
}

static pml_status search_for(const tune_options *o, const char *file, pml_search *search, pml_error *error) {
    pml_status status = PML_OK;
    pml_space space = {0};
    pml_command_template template = {0};
    pml_study *study = NULL;
    search->common = &o->common;
    search->has_limit = o->n_trials.is_set;
    search->n_trials = o->n_trials.value;
    search->n_workers = o->workers.is_set ? o->workers.value : 1;
    PML_TRY(read_timeout(o, search, error));
    PML_TRY(check(o, file, search, error));
    PML_TRY(pml_space_read(o->space, &space, error));
    search->study.space = &space;
    pml_tune_training training;
    pml_tune_objective objective;
    if (file != NULL) {
        PML_TRY(make_training(o, file, search, &space, &training, error));
        objective = pml_tune_training_objective(&training, &space);
    } else {
        PML_TRY(pml_command_template_parse(o->command, &space, &template, error));
        objective = pml_command_objective(&template, &space);
    }
    search->objective = &objective;
    PML_TRY(pml_study_open(&search->study, &study, error));
    PML_TRY(pml_search_run(search, study, error));
    PML_TRY(pml_tune_print_summary(study, search->study.path, o->common.json, error));
done:
    pml_study_close(study);
    pml_command_template_deinit(&template);
    pml_space_deinit(&space);
    return status;
}

static pml_status show(const tune_options *o, pml_study_options *options, pml_error *error) {
    pml_status status = PML_OK;
    pml_study *study = NULL;
    if (options->path == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--show needs --storage FILE"));
    }
    options->must_exist = true;
    options->objective = NULL;
    options->sampler = NULL;
    options->sampler_settings = NULL;
    PML_TRY(pml_study_open(options, &study, error));
    PML_TRY(strcmp(o->show, "best") == 0 ? pml_tune_print_summary(study, options->path, o->common.json, error)
                                         : pml_tune_print_trials(study, o->common.json, error));
done:
    pml_study_close(study);
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const tune_options *o = options;
    pml_status status = PML_OK;
    pml_search search = {0};
    settings s;
    PML_TRY(choose_tuners(o, &search.study, &s, error));
    PML_TRY(choose_study(o, &search.study, error));
    if (o->list) {
        PML_TRY(pml_tune_print_tuners(o->common.json, error));
    } else if (o->show != NULL) {
        PML_TRY(show(o, &search.study, error));
    } else {
        PML_TRY(search_for(o, n_operands > 0 ? operands[0] : NULL, &search, error));
    }
done:
    return status;
}

const pml_command pml_cmd_tune = {
    .name = "tune",
    .operands = "[FILE]",
    .summary = "Search for the parameters of the best value of an objective",
    .examples = "pml-run tune --space space.json -n 60 --command './fit {lr} {n}'\n"
                "pml-run tune m.pml --data s.csv --split 0.7,0.1,0.2 -o runs --space s.json -n 9\n"
                "pml-run tune --storage study.journal --show trials",
    .options = option_table,
    .options_bytes = sizeof(tune_options),
    .least_operands = 0,
    .most_operands = 1,
    .run = run,
};
