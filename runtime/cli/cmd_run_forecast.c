/* pml-run forecast: the steps after a row of a CSV file, in its own units. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/json_writer.h"
#include "runtime/cli/publish_text.h"
#include "runtime/cli/run_commands.h"
#include "runtime/file/reader.h"
#include "runtime/models/series_metadata.h"
#include "runtime/series/csv.h"
#include "runtime/series/series_forecast.h"

typedef struct forecast_options {
    pml_common_options common;
    pml_model_options model;
    const char *csv;
    const char *out;
    pml_option_u64 at;
    bool no_dates, scaled;
} forecast_options;

static const pml_option option_table[] = {
    {"csv", 0, PML_OPTION_TEXT, "FILE", NULL, "the series: a header row, then one row per time step (required)",
     offsetof(forecast_options, csv)},
    {"at", 0, PML_OPTION_U64, "ROW", NULL, "first row to forecast, counted from 0 (default: after the last)",
     offsetof(forecast_options, at)},
    {"out", 'o', PML_OPTION_TEXT, "FILE", NULL, "write the CSV here, whole or not at all (default: print it)",
     offsetof(forecast_options, out)},
    {"outfile", 0, PML_OPTION_TEXT, "FILE", NULL, NULL, offsetof(forecast_options, out)},
    {"output", 0, PML_OPTION_TEXT, "FILE", NULL, NULL, offsetof(forecast_options, out)},
    {"no-dates", 0, PML_OPTION_FLAG, NULL, NULL, "ignore the date column; a model that can is not told the dates",
     offsetof(forecast_options, no_dates)},
    {"scaled", 0, PML_OPTION_FLAG, NULL, NULL, "leave the forecast on the scale of the file's scaler",
     offsetof(forecast_options, scaled)},
    PML_MODEL_OPTION_ROWS(forecast_options),
    PML_OPTION_ROWS_END};

typedef struct printed {
    const pml_series *series;
    const pml_series_forecast *forecast;
} printed;

static void write_csv(FILE *stream, const void *user) {
    const printed *p = user;
    const pml_series *series = p->series;
    const pml_series_forecast *forecast = p->forecast;
    char text[PML_STAMP_TEXT_BYTES];
    if (forecast->stamps_us != NULL) {
        pml_csv_write_field(stream, series->date_column);
        (void)fputc(',', stream);
    }
    for (size_t j = 0; j < forecast->n_columns; j++) {
        (void)fputs(j > 0 ? "," : "", stream);
        pml_csv_write_field(stream, series->columns[j]);
    }
    (void)fputc('\n', stream);
    for (size_t i = 0; i < forecast->n_steps; i++) {
        if (forecast->stamps_us != NULL) {
            (void)fprintf(stream, "%s,", pml_stamp_text(forecast->stamps_us[i], &series->stamp_form, text));
        }
        for (size_t j = 0; j < forecast->n_columns; j++) {
            (void)fprintf(stream, "%s%.9g", j > 0 ? "," : "", forecast->values[i * forecast->n_columns + j]);
        }
        (void)fputc('\n', stream);
    }
}

static pml_status print_json(const pml_series *series, const pml_series_forecast *forecast, pml_error *error) {
    pml_json_writer w;
    char text[PML_STAMP_TEXT_BYTES];
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_u64(&w, "start_row", forecast->start_row);
    pml_json_begin_array(&w, "columns");
    for (size_t j = 0; j < forecast->n_columns; j++) {
        pml_json_string(&w, NULL, series->columns[j]);
    }
    pml_json_end_array(&w);
    if (forecast->stamps_us == NULL) {
        pml_json_null(&w, "dates");
    } else {
        pml_json_begin_array(&w, "dates");
        for (size_t i = 0; i < forecast->n_steps; i++) {
            pml_json_string(&w, NULL, pml_stamp_text(forecast->stamps_us[i], &series->stamp_form, text));
        }
        pml_json_end_array(&w);
    }
    pml_json_begin_array(&w, "forecast");
    for (size_t i = 0; i < forecast->n_steps; i++) {
        pml_json_begin_array(&w, NULL);
        for (size_t j = 0; j < forecast->n_columns; j++) {
            pml_json_f64(&w, NULL, forecast->values[i * forecast->n_columns + j]);
        }
        pml_json_end_array(&w);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const forecast_options *o = options;
    pml_status status = PML_OK;
    pml_loaded loaded = {0};
    pml_series *series = NULL;
    pml_series_forecast forecast = {0};
    pml_series_state state;
    const char *out = o->out != NULL && strcmp(o->out, "-") != 0 ? o->out : NULL;
    (void)n_operands;
    if (o->csv == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "forecast needs --csv FILE"));
    }
    if (out != NULL) {
        PML_TRY(pml_cli_check_output("out", out, (const char *const[2]){o->csv, operands[0]}, 2, error));
    }
    PML_TRY(pml_loaded_open(operands[0], &o->model, &loaded, error));
    PML_TRY(pml_series_state_get(pml_file_metadata(loaded.file), &state, error));
    const pml_series_request request = {state.columns, state.n_columns, o->no_dates};
    PML_TRY(pml_series_read(o->csv, &request, &series, error));
    const pml_series_forecast_options how = {
        .start_row = o->at.is_set ? o->at.value : series->n_rows, .scaled = o->scaled, .without_marks = o->no_dates};
    PML_TRY(pml_series_forecast_run(loaded.model, series, o->csv, &how, &forecast, error));
    const printed p = {series, &forecast};
    if (out != NULL) {
        PML_TRY(pml_cli_publish_text(out, write_csv, &p, error));
    }
    if (o->common.json) {
        PML_TRY(print_json(series, &forecast, error));
    } else if (out != NULL) {
        (void)printf("%s\n", out);
    } else {
        write_csv(stdout, &p);
    }
done:
    pml_series_forecast_deinit(&forecast);
    pml_series_destroy(series);
    pml_loaded_close(&loaded);
    return status;
}

const pml_command pml_cmd_run_forecast = {
    .name = "forecast",
    .operands = "FILE",
    .summary = "Forecast the steps that follow in a CSV series, in its units",
    .examples = "pml-run forecast model.pml --csv series.csv\n"
                "pml-run forecast model.pml --csv series.csv --at 8640 -o next.csv\n"
                "pml-run forecast model.pml --csv series.csv --json",
    .options = option_table,
    .options_bytes = sizeof(forecast_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
