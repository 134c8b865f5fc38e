/* pml-run train: a model, data and a folder. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_writer.h"
#include "runtime/cli/command.h"
#include "runtime/cli/train_ranks.h"
#include "runtime/train/train_kinds.h"
#include "runtime/train/train_setup.h"

typedef struct train_options {
    pml_common_options common;
    pml_option_list data, freeze, groups, settings;
    const char *validation, *split, *out, *task, *loss, *optimizer, *schedule, *clip_norm, *ema, *init_from, *every,
        *backend;
    const char *features, *target, *family, *config, *tokenizer, *lora;
    pml_option_u64 epochs, steps, batch_size, accumulate, patience, seed, threads, keep, max_tokens;
    bool resume, bf16, list, by_line, drop_last, sync_batchnorm;
} train_options;

static const pml_option option_table[] = {
    {"new", 0, PML_OPTION_TEXT, "FAMILY", NULL, "begin with fresh weights in place of FILE",
     offsetof(train_options, family)},
    {"set", 0, PML_OPTION_LIST, "KEY=VALUE", NULL, "of a new model's configuration", offsetof(train_options, settings)},
    {"data", 0, PML_OPTION_LIST, "FILE", NULL, "a CSV series, text or JSON lines (required)",
     offsetof(train_options, data)},
    {"out", 'o', PML_OPTION_TEXT, "DIR", NULL, "the run's folder (required)", offsetof(train_options, out)},
    {"split", 0, PML_OPTION_TEXT, "SPLIT", NULL, "of a series: ett-hour, ett-minute or shares",
     offsetof(train_options, split)},
    {"validation", 0, PML_OPTION_TEXT, "FILE", NULL, "what texts are evaluated on",
     offsetof(train_options, validation)},
    {"loss", 0, PML_OPTION_TEXT, "SPEC", NULL, "such as huber:delta=1 (default: the task's)",
     offsetof(train_options, loss)},
    {"optimizer", 0, PML_OPTION_TEXT, "SPEC", NULL, "such as adam:lr=0.0005 (default: adamw)",
     offsetof(train_options, optimizer)},
    {"schedule", 0, PML_OPTION_TEXT, "SPEC", NULL, "of the learning rate (default: constant)",
     offsetof(train_options, schedule)},
    {"epochs", 0, PML_OPTION_U64, "N", NULL, "passes over the data (default 10)", offsetof(train_options, epochs)},
    {"batch-size", 0, PML_OPTION_U64, "N", NULL, "samples of a batch (default 32)",
     offsetof(train_options, batch_size)},
    {"patience", 0, PML_OPTION_U64, "N", NULL, "end after N evaluations without a better one",
     offsetof(train_options, patience)},
    {"freeze", 0, PML_OPTION_LIST, "PATTERN", NULL, "weights of these names stay as they are",
     offsetof(train_options, freeze)},
    {"lora", 0, PML_OPTION_TEXT, "OPTIONS", NULL, "adapters alone, such as r=8,alpha=16",
     offsetof(train_options, lora)},
    {"resume", 0, PML_OPTION_FLAG, NULL, NULL, "go on from the newest checkpoint in DIR",
     offsetof(train_options, resume)},
    {"seed", 0, PML_OPTION_U64, "N", NULL, NULL, offsetof(train_options, seed)},
    {"threads", 't', PML_OPTION_U64, "N", NULL, NULL, offsetof(train_options, threads)},
    {"list", 0, PML_OPTION_FLAG, NULL, NULL, "families, tasks, losses, optimizers: all that SPEC is",
     offsetof(train_options, list)},
    {"config", 0, PML_OPTION_TEXT, "FILE", NULL, NULL, offsetof(train_options, config)},
    {"tokenizer", 0, PML_OPTION_TEXT, "FILE", NULL, NULL, offsetof(train_options, tokenizer)},
    {"task", 0, PML_OPTION_TEXT, "NAME", NULL, NULL, offsetof(train_options, task)},
    {"group", 0, PML_OPTION_LIST, "PATTERN:SPEC", NULL, NULL, offsetof(train_options, groups)},
    {"ema", 0, PML_OPTION_TEXT, "DECAY", NULL, NULL, offsetof(train_options, ema)},
    {"init-from", 0, PML_OPTION_TEXT, "FILE", NULL, NULL, offsetof(train_options, init_from)},
    {"clip-norm", 0, PML_OPTION_TEXT, "X", NULL, NULL, offsetof(train_options, clip_norm)},
    {"steps", 0, PML_OPTION_U64, "N", NULL, NULL, offsetof(train_options, steps)},
    {"accumulate", 0, PML_OPTION_U64, "N", NULL, NULL, offsetof(train_options, accumulate)},
    {"every", 0, PML_OPTION_TEXT, "SPEC", NULL, NULL, offsetof(train_options, every)},
    {"keep", 0, PML_OPTION_U64, "N", NULL, NULL, offsetof(train_options, keep)},
    {"bf16", 0, PML_OPTION_FLAG, NULL, NULL, NULL, offsetof(train_options, bf16)},
    {"sync-batchnorm", 0, PML_OPTION_FLAG, NULL, NULL, NULL, offsetof(train_options, sync_batchnorm)},
    {"drop-last", 0, PML_OPTION_FLAG, NULL, NULL, NULL, offsetof(train_options, drop_last)},
    {"features", 0, PML_OPTION_TEXT, "M|S|MS", "M|S|MS", NULL, offsetof(train_options, features)},
    {"target", 0, PML_OPTION_TEXT, "COLUMN", NULL, NULL, offsetof(train_options, target)},
    {"max-tokens", 0, PML_OPTION_U64, "N", NULL, NULL, offsetof(train_options, max_tokens)},
    {"by-line", 0, PML_OPTION_FLAG, NULL, NULL, NULL, offsetof(train_options, by_line)},
    {"backend", 0, PML_OPTION_TEXT, "NAME", NULL, NULL, offsetof(train_options, backend)},
    {NULL, 0, PML_OPTION_FLAG, NULL, NULL, NULL, 0}};

/* ---- --list ---- */
static void print_list(void) {
    (void)printf("families of --new\n");
    for (size_t i = 0; pml_schemas[i] != NULL; i++) {
        if (pml_schemas[i]->fresh != NULL) {
            (void)printf("  %-20s %s\n", pml_schemas[i]->name, pml_schemas[i]->architecture);
        }
    }
    (void)printf("tasks\n");
    for (const pml_task *task = pml_tasks; task->name != NULL; task++) {
        (void)printf("  %-20s %s (loss: %s)\n", task->name, task->summary, task->loss);
    }
    for (const pml_train_kind *kind = pml_train_kinds; kind->name != NULL; kind++) {
        (void)printf("%s\n", kind->plural);
        for (size_t i = 0; kind->plugins[i] != NULL; i++) {
            const pml_plugin *plugin = kind->plugins[i];
            (void)printf("  %-20s %s\n", plugin->name, plugin->help);
            for (const pml_plugin_option *o = plugin->options; o != NULL && o->name != NULL; o++) {
                (void)printf("      %s=%s  %s\n", o->name, o->fallback == NULL ? "(required)" : o->fallback, o->help);
            }
        }
    }
}

/* ---- numbers in text ---- */
static pml_status parse_number(const char *option, const char *text, double *value, pml_error *error) {
    char *end = NULL;
    *value = text == NULL ? 0 : strtod(text, &end);
    return text == NULL || (*text != '\0' && *end == '\0' && isfinite(*value) && *value > 0)
               ? PML_OK
               : PML_FAIL(error, PML_E_ARGUMENT, "--%s is a number above 0", option);
}

/* "eval=100,save=500,log=10" */
static pml_status parse_every(const char *text, pml_train_setup *setup, pml_error *error) {
    const struct {
        const char *key;
        uint64_t *steps;
    } keys[] = {{"eval=", &setup->eval_every}, {"save=", &setup->save_every}, {"log=", &setup->log_every}};
    for (const char *at = text; at != NULL && *at != '\0';) {
        size_t k = 0;
        while (k < 3 && strncmp(at, keys[k].key, strlen(keys[k].key)) != 0) {
            k++;
        }
        char *end = NULL;
        const char *number = k < 3 ? at + strlen(keys[k].key) : at;
        const unsigned long long value = k < 3 && *number >= '0' && *number <= '9' ? strtoull(number, &end, 10) : 0;
        if (value == 0 || (*end != '\0' && *end != ',')) {
            return PML_FAIL(error, PML_E_ARGUMENT, "--every says after how many steps: eval=N,save=N,log=N");
        }
        *keys[k].steps = value;
        at = *end == ',' ? end + 1 : end;
    }
    return PML_OK;
}

/* ---- progress ---- */
typedef struct view {
    const pml_common_options *common;
    pml_progress *progress;
} view;

static pml_status on_step(void *user, const pml_run_status *status, pml_error *error) {
    view *v = user;
    char text[160];
    if (v->progress == NULL) {
        const pml_status made =
            pml_progress_create_units(v->common, "training", "steps", status->n_steps, &v->progress, error);
        if (made != PML_OK) {
            return made;
        }
    }
    if (status->is_evaluation) {
        (void)snprintf(text, sizeof text, "step %" PRIu64 ", epoch %.2f: loss %.6g, validation %.6g%s", status->i_step,
                       status->epoch, status->step.loss, status->eval_loss, status->is_best ? " (best)" : "");
        pml_progress_note(v->progress, text);
        return PML_OK;
    }
    (void)snprintf(text, sizeof text, "epoch %.2f, loss %.5g", status->epoch, status->step.loss);
    pml_progress_detail(v->progress, text);
    pml_progress_advance(v->progress, status->i_step);
    return PML_OK;
}

/* ---- results ---- */
static pml_status print_json(const train_options *o, const char *file, const pml_run_result *result, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "file", file);
    pml_json_string(&w, "folder", o->out);
    pml_json_u64(&w, "steps", result->n_steps);
    pml_json_u64(&w, "resumed_step", result->resumed_step);
    pml_json_f64(&w, "epoch", result->epoch);
    pml_json_f64(&w, "train_loss", result->train_loss);
    pml_json_f64(&w, "best_loss", result->best_loss);
    pml_json_u64(&w, "best_step", result->best_step);
    pml_json_bool(&w, "stopped_early", result->is_early);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static void print_text(const train_options *o, const pml_run_result *result) {
    (void)printf("steps     %" PRIu64 " (%.2f epochs%s)\n", result->n_steps, result->epoch,
                 result->is_early ? ", stopped early" : "");
    if (isnan(result->train_loss)) {
        (void)printf("loss      no step was left to do\n");
    } else {
        (void)printf("loss      %.6g\n", result->train_loss);
    }
    if (!isnan(result->best_loss)) {
        (void)printf("best      %.6g at step %" PRIu64 "\n", result->best_loss, result->best_step);
    }
    (void)printf("%s %s/%s\n", o->lora == NULL ? "model    " : "adapter  ", o->out, result->name);
}

static pml_status fill_setup(const train_options *o, const char *file, pml_train_setup *setup, pml_error *error) {
    pml_status status = PML_OK;
    *setup = (pml_train_setup){.model = file,
                               .backend = o->backend,
                               .n_threads = (size_t)o->threads.value,
                               .data = o->data.items,
                               .n_data = o->data.count,
                               .validation = o->validation,
                               .split = o->split,
                               .features = o->features,
                               .target = o->target,
                               .max_tokens = (size_t)o->max_tokens.value,
                               .by_line = o->by_line,
                               .folder = o->out,
                               .trainer = {.task = o->task,
                                           .loss = o->loss,
                                           .optimizer = o->optimizer,
                                           .groups = o->groups.items,
                                           .n_groups = o->groups.count,
                                           .n_accumulate = (size_t)o->accumulate.value,
                                           .sync_batch_norms = o->sync_batchnorm},
                               .schedule = o->schedule,
                               .n_epochs = o->epochs.value,
                               .n_steps = o->steps.value,
                               .batch_size = o->batch_size.value,
                               .seed = o->seed.value,
                               .patience = o->patience.value,
                               .n_keep = o->keep.value,
                               .resume = o->resume,
                               .bf16 = o->bf16,
                               .drop_last = o->drop_last,
                               .init_from = o->init_from,
                               .frozen = o->freeze.items,
                               .n_frozen = o->freeze.count,
                               .lora = o->lora};
    PML_TRY(parse_number("clip-norm", o->clip_norm, &setup->trainer.clip_norm, error));
    PML_TRY(parse_number("ema", o->ema, &setup->trainer.ema_decay, error));
    PML_TRY(parse_every(o->every, setup, error));
    if (o->out == NULL || o->data.count == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "train needs --%s", o->out == NULL ? "out DIR" : "data FILE"));
    }
    PML_TRY(pml_cli_check_backend(o->backend, error));

done:
    return status;
}

/* What FILE is there for, made from nothing. `text` is the caller's to close. */
static pml_status fill_fresh(const train_options *o, unsigned n_operands, pml_new_model *fresh, pml_file **text,
                             pml_error *error) {
    pml_status status = PML_OK;
    if (o->family == NULL) {
        if (o->config != NULL || o->settings.count > 0 || o->tokenizer != NULL) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--config, --set and --tokenizer go with --new FAMILY"));
        }
        PML_TRY(n_operands == 1 ? PML_OK
                                : PML_FAIL(error, PML_E_ARGUMENT, "missing operand: expected FILE, or --new FAMILY"));
        goto done;
    }
    if (n_operands > 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--new makes a model: it takes no FILE"));
    }
    if (o->tokenizer != NULL) {
        PML_TRY(pml_file_open(o->tokenizer, text, error));
    }
    *fresh = (pml_new_model){.family = o->family,
                             .config = o->config,
                             .settings = o->settings.items,
                             .n_settings = o->settings.count,
                             .text = *text};

done:
    return status;
}

/* What each rank does, and the first one tells. */
static pml_status train(const train_options *o, char **operands, unsigned n_operands, const pml_ranks *ranks,
                        pml_error *error) {
    pml_status status = PML_OK;
    pml_train_setup setup;
    pml_run_result result;
    pml_new_model fresh = {0};
    pml_file *text = NULL;
    view v = {.common = &o->common};
    PML_TRY(fill_fresh(o, n_operands, &fresh, &text, error));
    const char *file = n_operands == 1 ? operands[0] : o->family;
    PML_TRY(fill_setup(o, file, &setup, error));
    setup.fresh = o->family != NULL ? &fresh : NULL;
    setup.trainer.ranks = ranks;
    setup.watch = on_step;
    setup.user = &v;
    PML_TRY(pml_train_setup_run(&setup, &result, error));
    pml_progress_destroy(v.progress);
    v.progress = NULL;
    if (!pml_ranks_is_first(ranks)) {
        goto done;
    }
    if (o->common.json) {
        PML_TRY(print_json(o, file, &result, error));
    } else if (!o->common.quiet) {
        print_text(o, &result);
    }

done:
    pml_progress_destroy(v.progress);
    pml_file_close(text);
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const train_options *o = options;
    pml_status status = PML_OK;
    pml_ranks ranks = {0};
    if (o->list) {
        print_list();
        goto done;
    }
    PML_TRY(pml_train_ranks_open(&ranks, error));
    status = pml_train_ranks_close(&ranks, train(o, operands, n_operands, &ranks, error), error);

done:
    return status;
}

extern const pml_command pml_cmd_train;
const pml_command pml_cmd_train = {
    .name = "train",
    .operands = "FILE|--new FAMILY",
    .summary = "Train a model: FILE stays as it is, the result is DIR/model.pml.",
    .examples = "pml-run train dlinear.pml --data ETTh1.csv --split ett-hour -o run\n"
                "pml-run train --new dlinear --data ETTh1.csv --split ett-hour -o run",
    .options = option_table,
    .options_bytes = sizeof(train_options),
    .least_operands = 0,
    .most_operands = 1,
    .run = run,
};
