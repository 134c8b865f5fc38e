/* pml-run backtest: a model's errors along a series, by step of the horizon and by column. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json_writer.h"
#include "runtime/base/publish_text.h"
#include "runtime/cli/run_commands.h"
#include "runtime/file/reader.h"
#include "runtime/models/series_metadata.h"
#include "runtime/series/backtest.h"
#include "runtime/series/csv.h"

typedef struct backtest_options {
    pml_common_options common;
    pml_model_options model;
    const char *csv, *out;
    pml_option_u64 stride, from, to;
    bool scaled, no_dates;
} backtest_options;

static const pml_option option_table[] = {
    {"csv", 0, PML_OPTION_TEXT, "FILE", NULL, "the series: a header row, then one row per time step (required)",
     offsetof(backtest_options, csv)},
    {"stride", 0, PML_OPTION_U64, "N", NULL, "rows between forecasts (default: the horizon)",
     offsetof(backtest_options, stride)},
    {"from", 0, PML_OPTION_U64, "ROW", NULL, "first row to foretell (default: after the look-back)",
     offsetof(backtest_options, from)},
    {"to", 0, PML_OPTION_U64, "ROW", NULL, "row after the last to foretell (default: the end)",
     offsetof(backtest_options, to)},
    {"scaled", 0, PML_OPTION_FLAG, NULL, NULL, "errors on the scale of the file's scaler",
     offsetof(backtest_options, scaled)},
    {"no-dates", 0, PML_OPTION_FLAG, NULL, NULL, "ignore the date column, if the model can",
     offsetof(backtest_options, no_dates)},
    {"out", 'o', PML_OPTION_TEXT, "FILE", NULL, "write a CSV, one line per step and column",
     offsetof(backtest_options, out)},
    PML_MODEL_OPTION_ROWS(backtest_options),
    PML_OPTION_ROWS_END};

typedef struct printed {
    const pml_backtest *result;
    const pml_series *series;
    const pml_backtest_options *setup;
    size_t context_length;
} printed;

/* ---- the three forms ---- */
static void write_row(const char *name, pml_backtest_error e) {
    (void)printf("%-12.40s  %12.6g  %12.6g\n", name, e.mae, sqrt(e.mse));
}

static void print_table(const printed *p) {
    char step[24];
    (void)printf("windows %zu, from row %zu to %zu, every %zu\n", p->result->n_windows, p->setup->first_row,
                 p->setup->end_row, p->setup->stride);
    (void)printf("\n%-12s  %12s  %12s\n", "column", "MAE", "RMSE");
    for (size_t c = 0; c < p->result->n_columns; c++) {
        write_row(p->series->columns[c], pml_backtest_error_of(p->result, PML_BACKTEST_ALL, c));
    }
    write_row("all", pml_backtest_error_of(p->result, PML_BACKTEST_ALL, PML_BACKTEST_ALL));
    (void)printf("\n%-12s  %12s  %12s\n", "step", "MAE", "RMSE");
    for (size_t s = 0; s < p->result->n_steps; s++) {
        (void)snprintf(step, sizeof step, "%zu", s + 1);
        write_row(step, pml_backtest_error_of(p->result, s, PML_BACKTEST_ALL));
    }
}

static void write_csv(FILE *stream, const void *user) {
    const printed *p = user;
    (void)fputs("step,column,mae,mse,values\n", stream);
    for (size_t s = 0; s < p->result->n_steps; s++) {
        for (size_t c = 0; c < p->result->n_columns; c++) {
            const pml_backtest_error e = pml_backtest_error_of(p->result, s, c);
            (void)fprintf(stream, "%zu,", s + 1);
            pml_csv_write_field(stream, p->series->columns[c]);
            if (e.count > 0) {
                (void)fprintf(stream, ",%.9g,%.9g,%llu\n", e.mae, e.mse, (unsigned long long)e.count);
            } else {
                (void)fputs(",,,0\n", stream);
            }
        }
    }
}

static void json_number(pml_json_writer *w, const char *key, double value) {
    if (isnan(value)) {
        pml_json_null(w, key);
    } else {
        pml_json_f64(w, key, value);
    }
}

static void json_error(pml_json_writer *w, const char *name, size_t step, pml_backtest_error e) {
    pml_json_begin_object(w, NULL);
    if (name != NULL) {
        pml_json_string(w, "column", name);
    } else {
        pml_json_u64(w, "step", step);
    }
    json_number(w, "mae", e.mae);
    json_number(w, "mse", e.mse);
    pml_json_u64(w, "values", e.count);
    pml_json_end_object(w);
}

static pml_status print_json(const printed *p, pml_error *error) {
    const pml_backtest_error all = pml_backtest_error_of(p->result, PML_BACKTEST_ALL, PML_BACKTEST_ALL);
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_f64(&w, "mae", all.mae);
    pml_json_f64(&w, "mse", all.mse);
    pml_json_u64(&w, "windows", p->result->n_windows);
    pml_json_u64(&w, "values", all.count);
    pml_json_u64(&w, "context_length", p->context_length);
    pml_json_u64(&w, "horizon", p->result->n_steps);
    pml_json_u64(&w, "stride", p->setup->stride);
    pml_json_u64(&w, "first_row", p->setup->first_row);
    pml_json_u64(&w, "end_row", p->setup->end_row);
    pml_json_begin_array(&w, "columns");
    for (size_t c = 0; c < p->result->n_columns; c++) {
        json_error(&w, p->series->columns[c], 0, pml_backtest_error_of(p->result, PML_BACKTEST_ALL, c));
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "steps");
    for (size_t s = 0; s < p->result->n_steps; s++) {
        json_error(&w, NULL, s + 1, pml_backtest_error_of(p->result, s, PML_BACKTEST_ALL));
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* ---- the command ---- */
typedef struct watch { /* progress, begun once the number of windows is known */
    const pml_common_options *common;
    pml_progress *progress;
} watch;

static void on_progress(void *user, uint64_t n_done, uint64_t n_windows) {
    watch *w = user;
    if (w->progress == NULL &&
        pml_progress_create_units(w->common, "backtesting", "windows", n_windows, &w->progress, NULL) != PML_OK) {
        return; /* no memory for a progress line is no reason to stop */
    }
    pml_progress_advance(w->progress, n_done);
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const backtest_options *o = options;
    pml_status status = PML_OK;
    pml_loaded loaded = {0};
    pml_series *series = NULL;
    pml_backtest result = {0};
    pml_series_state state;
    pml_forecast_shape shape;
    watch w = {.common = &o->common};
    (void)n_operands;
    if (o->csv == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "backtest needs --csv FILE"));
    }
    if (o->out != NULL) {
        PML_TRY(pml_cli_check_output("out", o->out, (const char *const[2]){o->csv, operands[0]}, 2, error));
    }
    PML_TRY(pml_loaded_open(operands[0], &o->model, &loaded, error));
    PML_TRY(pml_series_state_get(pml_file_metadata(loaded.file), &state, error));
    PML_TRY(pml_model_forecast_shape(loaded.model, &shape, error));
    const pml_series_request request = {state.columns, state.n_columns, o->no_dates};
    PML_TRY(pml_series_read(o->csv, &request, &series, error));
    const pml_backtest_options setup = {.model = loaded.model,
                                        .first_row = o->from.is_set ? o->from.value : shape.context_length,
                                        .end_row = o->to.is_set ? o->to.value : series->n_rows,
                                        .stride = o->stride.is_set ? o->stride.value : shape.horizon,
                                        .scaled = o->scaled,
                                        .without_marks = o->no_dates,
                                        .progress = on_progress,
                                        .user = &w};
    PML_TRY(pml_backtest_run(series, o->csv, &setup, &result, error));
    pml_progress_destroy(w.progress);
    w.progress = NULL;
    const printed p = {&result, series, &setup, shape.context_length};
    if (o->out != NULL) {
        PML_TRY(pml_publish_text(o->out, write_csv, &p, error));
    }
    if (o->common.json) {
        PML_TRY(print_json(&p, error));
    } else if (o->out != NULL) {
        (void)printf("%s\n", o->out);
    } else {
        print_table(&p);
    }
done:
    pml_progress_destroy(w.progress);
    pml_backtest_deinit(&result);
    pml_series_destroy(series);
    pml_loaded_close(&loaded);
    return status;
}

const pml_command pml_cmd_run_backtest = {
    .name = "backtest",
    .operands = "FILE",
    .summary = "Errors along a CSV series, by step of the horizon and column",
    .examples = "pml-run backtest model.pml --csv series.csv --stride 24\n"
                "pml-run backtest model.pml --csv series.csv --scaled -o errors.csv",
    .options = option_table,
    .options_bytes = sizeof(backtest_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
