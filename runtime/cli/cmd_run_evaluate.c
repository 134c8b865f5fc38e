/* pml-run evaluate: MSE and MAE over all windows of a split. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json_writer.h"
#include "runtime/cli/run_commands.h"
#include "runtime/file/reader.h"
#include "runtime/models/model.h"
#include "runtime/models/series_metadata.h"
#include "runtime/series/evaluate.h"

typedef struct evaluate_options {
    pml_common_options common;
    pml_model_options model;
    const char *csv;
    const char *split;
    const char *part;
    const char *baseline;
    const char *score;
    pml_option_u64 horizon, context, batch_size;
    bool batch_periods, drop_last, no_dates;
} evaluate_options;

static const pml_option option_table[] = {
    {"csv", 0, PML_OPTION_TEXT, "FILE", NULL, "the series, a header row first (required)",
     offsetof(evaluate_options, csv)},
    {"split", 0, PML_OPTION_TEXT, "SPLIT", NULL, "ett-hour, ett-minute or shares 0.7,0.1,0.2 (required)",
     offsetof(evaluate_options, split)},
    {"set-part", 0, PML_OPTION_TEXT, "PART", "train|val|test", "which part (default: test)",
     offsetof(evaluate_options, part)},
    {"baseline", 0, PML_OPTION_TEXT, "NAME", "repeat-last", "instead of the model (FILE is optional)",
     offsetof(evaluate_options, baseline)},
    {"horizon", 0, PML_OPTION_U64, "N", NULL, "baseline: steps ahead (default: FILE's)",
     offsetof(evaluate_options, horizon)},
    {"context", 0, PML_OPTION_U64, "N", NULL, "baseline: look-back (default: FILE's, or 1)",
     offsetof(evaluate_options, context)},
    {"batch-size", 0, PML_OPTION_U64, "N", NULL, "windows per run (default: 32)",
     offsetof(evaluate_options, batch_size)},
    {"batch-periods", 0, PML_OPTION_FLAG, NULL, NULL, "windows of a run share a TimesNet's periods",
     offsetof(evaluate_options, batch_periods)},
    {"drop-last", 0, PML_OPTION_FLAG, NULL, NULL, "leave out windows that do not fill a batch",
     offsetof(evaluate_options, drop_last)},
    {"score", 0, PML_OPTION_TEXT, "COLUMN", NULL, "count this column's errors alone, as runs of MS do",
     offsetof(evaluate_options, score)},
    {"no-dates", 0, PML_OPTION_FLAG, NULL, NULL, "a model that can is not told the dates",
     offsetof(evaluate_options, no_dates)},
    PML_MODEL_OPTION_ROWS(evaluate_options),
    PML_OPTION_ROWS_END};

static pml_status check_options(const evaluate_options *o, unsigned n_operands, pml_error *error) {
    if (o->csv == NULL || o->split == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "evaluate needs --%s", o->csv == NULL ? "csv FILE" : "split SPLIT");
    }
    if (o->baseline == NULL && (o->horizon.is_set || o->context.is_set)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--horizon and --context are the model's own; they go with --baseline");
    }
    if (n_operands == 0 && o->baseline == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "missing operand: expected FILE");
    }
    if (n_operands == 0 && !o->horizon.is_set) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--baseline without FILE needs --horizon N");
    }
    if (o->batch_size.is_set && (o->batch_size.value == 0 || o->batch_size.value > 1000000)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--batch-size must lie between 1 and 1000000");
    }
    if ((o->horizon.is_set && o->horizon.value == 0) || (o->context.is_set && o->context.value == 0)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--horizon and --context must be at least 1");
    }
    return PML_OK;
}

static pml_part part_of(const char *name) {
    if (name == NULL || strcmp(name, "test") == 0) {
        return PML_PART_TEST;
    }
    return strcmp(name, "val") == 0 ? PML_PART_VAL : PML_PART_TRAIN;
}

typedef struct watch { /* progress, begun once the number of windows is known */
    const pml_common_options *common;
    pml_progress *progress;
} watch;

static void on_progress(void *user, uint64_t n_done, uint64_t n_windows) {
    watch *w = user;
    if (w->progress == NULL &&
        pml_progress_create_units(w->common, "evaluating", "windows", n_windows, &w->progress, NULL) != PML_OK) {
        return; /* no memory for a progress line is no reason to stop */
    }
    pml_progress_advance(w->progress, n_done);
}

typedef struct printed { /* what the two output forms show */
    const evaluate_options *o;
    const char *file; /* NULL: none */
    const pml_evaluate_options *setup;
    const pml_evaluation *result;
} printed;

static void json_rows(pml_json_writer *w, const char *key, size_t first, size_t end) {
    pml_json_begin_array(w, key);
    pml_json_u64(w, NULL, first);
    pml_json_u64(w, NULL, end);
    pml_json_end_array(w);
}

static pml_status print_json(const printed *p, pml_error *error) {
    const pml_split *split = &p->setup->split;
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "file", p->file);
    pml_json_string(&w, "csv", p->o->csv);
    pml_json_string(&w, "baseline", p->o->baseline);
    pml_json_string(&w, "scored", p->o->score);
    pml_json_f64(&w, "mse", p->result->mse);
    pml_json_f64(&w, "mae", p->result->mae);
    pml_json_u64(&w, "windows", p->result->windows);
    pml_json_u64(&w, "values", p->result->n_values);
    pml_json_u64(&w, "context_length", p->setup->context_length);
    pml_json_u64(&w, "horizon", p->setup->horizon);
    pml_json_string(&w, "part", p->o->part != NULL ? p->o->part : "test");
    pml_json_string(&w, "scaler", p->result->fitted_scaler ? "train rows" : "file");
    pml_json_begin_object(&w, "rows");
    json_rows(&w, "train", 0, split->train_end);
    json_rows(&w, "val", split->train_end, split->val_end);
    json_rows(&w, "test", split->val_end, split->test_end);
    json_rows(&w, "foretold", p->result->first_row, p->result->end_row);
    pml_json_end_object(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static void print_text(const printed *p) {
    const pml_split *split = &p->setup->split;
    if (!p->o->common.quiet) {
        (void)printf("rows      train [0, %zu)  val [%zu, %zu)  test [%zu, %zu)\n", split->train_end, split->train_end,
                     split->val_end, split->val_end, split->test_end);
        (void)printf("scaler    %s\n", p->result->fitted_scaler ? "fitted on the train rows" : "of the file");
        (void)printf("forecast  %s, look-back %zu, horizon %zu\n", p->o->baseline != NULL ? p->o->baseline : p->file,
                     p->setup->context_length, p->setup->horizon);
        (void)printf("windows   %" PRIu64 " (%s)\n", p->result->windows, p->o->part != NULL ? p->o->part : "test");
    }
    (void)printf("MSE       %.6f\nMAE       %.6f\n", p->result->mse, p->result->mae);
}

/* Look-back and horizon of the baseline: those given, otherwise the model's. */
static pml_status choose_shape(const evaluate_options *o, const pml_loaded *loaded, pml_evaluate_options *setup,
                               pml_error *error) {
    pml_forecast_shape shape = {.context_length = 1};
    if (loaded->model != NULL) {
        pml_status status = pml_model_forecast_shape(loaded->model, &shape, error);
        if (status != PML_OK) {
            return status;
        }
    }
    setup->context_length = o->context.is_set ? o->context.value : shape.context_length;
    setup->horizon = o->horizon.is_set ? o->horizon.value : shape.horizon;
    return PML_OK;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const evaluate_options *o = options;
    pml_status status = PML_OK;
    pml_loaded loaded = {0};
    pml_series *series = NULL;
    pml_series_state state = {0};
    watch w = {.common = &o->common};
    pml_evaluation result;
    pml_evaluate_options setup = {.part = part_of(o->part), .progress = on_progress, .user = &w};
    PML_TRY(check_options(o, n_operands, error));
    setup.batch_size = o->batch_size.is_set ? o->batch_size.value : 32;
    if (n_operands == 1) {
        PML_TRY(pml_loaded_open(operands[0], &o->model, &loaded, error));
        PML_TRY(pml_series_state_get(pml_file_metadata(loaded.file), &state, error));
        pml_model_batch_wide_set(loaded.model, o->batch_periods);
    }
    size_t n_marks = 0;
    if (loaded.model != NULL && o->baseline == NULL) {
        PML_TRY(pml_model_n_marks(loaded.model, &n_marks, error));
    }
    /* The protocol counts rows; dates are for models that are told them. */
    const pml_series_request request = {state.columns, state.n_columns, n_marks == 0 || o->no_dates};
    PML_TRY(pml_series_read(o->csv, &request, &series, error));
    status = pml_split_parse(o->split, series->n_rows, &setup.split, error);
    PML_TRY(status == PML_E_FORMAT ? pml_error_prefix(error, status, "%s", o->csv) : status);
    PML_TRY(choose_shape(o, &loaded, &setup, error));
    setup.model = o->baseline == NULL ? loaded.model : NULL;
    setup.drop_last = o->drop_last;
    setup.without_marks = o->no_dates;
    setup.scored = o->score;
    setup.mean = state.mean;
    setup.std = state.std;
    setup.n_scaled = state.n_scaled;
    PML_TRY(pml_evaluation_run(series, o->csv, &setup, &result, error));
    pml_progress_destroy(w.progress);
    w.progress = NULL;
    const printed p = {o, n_operands == 1 ? operands[0] : NULL, &setup, &result};
    if (o->common.json) {
        PML_TRY(print_json(&p, error));
    } else {
        print_text(&p);
    }
done:
    pml_progress_destroy(w.progress);
    pml_series_destroy(series);
    pml_loaded_close(&loaded);
    return status;
}

const pml_command pml_cmd_run_evaluate = {
    .name = "evaluate",
    .operands = "[FILE]",
    .summary = "MSE and MAE over all windows of a part of a standardised series",
    .examples = "pml-run evaluate model.pml --csv ETTh1.csv --split ett-hour",
    .options = option_table,
    .options_bytes = sizeof(evaluate_options),
    .least_operands = 0,
    .most_operands = 1,
    .run = run,
};
