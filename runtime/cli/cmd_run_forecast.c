/* pml-run forecast: the steps after a row of a CSV file, in its own units. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/json_writer.h"
#include "runtime/base/publish_text.h"
#include "runtime/base/quote.h"
#include "runtime/cli/command_program.h"
#include "runtime/cli/run_commands.h"
#include "runtime/file/reader.h"
#include "runtime/models/series_metadata.h"
#include "runtime/series/csv.h"
#include "runtime/series/series_forecast.h"

#define MAX_LEVELS 99u

typedef struct forecast_options {
    pml_common_options common;
    pml_model_options model;
    const char *csv;
    const char *out;
    const char *plot;
    const char *quantiles;
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
    {"plot", 0, PML_OPTION_TEXT, "FILE", NULL, "draw it over its history, too: .png, .svg or .pdf",
     offsetof(forecast_options, plot)},
    {"quantiles", 0, PML_OPTION_TEXT, "LEVELS", NULL, "0.1,0.5,0.9: quantiles too, of models of distributions",
     offsetof(forecast_options, quantiles)},
    PML_MODEL_OPTION_ROWS(forecast_options),
    PML_OPTION_ROWS_END};

typedef struct printed {
    const pml_series *series;
    const pml_series_forecast *forecast;
    const double *levels;
    size_t n_levels;
} printed;

/* "0.1,0.5,0.9" to numbers strictly between 0 and 1, none twice, in the order given. */
static pml_status read_levels(const char *text, double levels[MAX_LEVELS], size_t *n_levels, pml_error *error) {
    pml_quoted quoted;
    *n_levels = 0;
    for (const char *next = text; next != NULL; next = *next == ',' ? next + 1 : NULL) {
        char *end = NULL;
        const size_t length = strspn(next, "0123456789.eE-");
        const double level = strtod(next, &end);
        if (length == 0 || end != next + length || (*end != ',' && *end != '\0') || !(level > 0 && level < 1)) {
            return PML_FAIL(error, PML_E_ARGUMENT,
                            "--quantiles takes numbers above 0 and below 1 with commas between them, not %s",
                            pml_quote(&quoted, text));
        }
        for (size_t i = 0; i < *n_levels; i++) {
            if (levels[i] == level) {
                return PML_FAIL(error, PML_E_ARGUMENT, "--quantiles names %.15g twice", level);
            }
        }
        if (*n_levels == MAX_LEVELS) {
            return PML_FAIL(error, PML_E_ARGUMENT, "--quantiles takes at most %u levels", MAX_LEVELS);
        }
        levels[(*n_levels)++] = level;
        next = end;
    }
    return PML_OK;
}

static void write_csv_header(FILE *stream, const printed *p) {
    char name[PML_MAX_CSV_FIELD_BYTES + 32];
    if (p->forecast->stamps_us != NULL) {
        pml_csv_write_field(stream, p->series->date_column);
        (void)fputc(',', stream);
    }
    for (size_t j = 0; j < p->forecast->n_columns; j++) {
        (void)fputs(j > 0 ? "," : "", stream);
        pml_csv_write_field(stream, p->series->columns[j]);
        for (size_t q = 0; q < p->n_levels; q++) {
            (void)snprintf(name, sizeof name, "%s_q%.15g", p->series->columns[j], p->levels[q]);
            (void)fputc(',', stream);
            pml_csv_write_field(stream, name);
        }
    }
    (void)fputc('\n', stream);
}

static void write_csv(FILE *stream, const void *user) {
    const printed *p = user;
    const pml_series *series = p->series;
    const pml_series_forecast *forecast = p->forecast;
    char text[PML_STAMP_TEXT_BYTES];
    const size_t n_values = forecast->n_steps * forecast->n_columns;
    write_csv_header(stream, p);
    for (size_t i = 0; i < forecast->n_steps; i++) {
        if (forecast->stamps_us != NULL) {
            (void)fprintf(stream, "%s,", pml_stamp_text(forecast->stamps_us[i], &series->stamp_form, text));
        }
        for (size_t j = 0; j < forecast->n_columns; j++) {
            const size_t at = i * forecast->n_columns + j;
            (void)fprintf(stream, "%s%.9g", j > 0 ? "," : "", forecast->values[at]);
            for (size_t q = 0; q < p->n_levels; q++) {
                (void)fprintf(stream, ",%.9g", forecast->quantiles[q * n_values + at]);
            }
        }
        (void)fputc('\n', stream);
    }
}

static void write_json_rows(pml_json_writer *w, const pml_series_forecast *forecast, const double *values) {
    pml_json_begin_array(w, "forecast");
    for (size_t i = 0; i < forecast->n_steps; i++) {
        pml_json_begin_array(w, NULL);
        for (size_t j = 0; j < forecast->n_columns; j++) {
            pml_json_f64(w, NULL, values[i * forecast->n_columns + j]);
        }
        pml_json_end_array(w);
    }
    pml_json_end_array(w);
}

static pml_status write_json(FILE *stream, const printed *p, pml_error *error) {
    const pml_series *series = p->series;
    const pml_series_forecast *forecast = p->forecast;
    pml_json_writer w;
    char text[PML_STAMP_TEXT_BYTES];
    pml_json_writer_init(&w, stream, false);
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
    write_json_rows(&w, forecast, forecast->values);
    if (p->n_levels > 0) {
        pml_json_begin_array(&w, "quantiles");
        for (size_t q = 0; q < p->n_levels; q++) {
            pml_json_begin_object(&w, NULL);
            pml_json_f64(&w, "level", p->levels[q]);
            write_json_rows(&w, forecast, forecast->quantiles + q * forecast->n_steps * forecast->n_columns);
            pml_json_end_object(&w);
        }
        pml_json_end_array(&w);
    }
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static const pml_command plot_program = {.name = "forecast --plot", .program = "pml-plot"};

/* What would fail after the work. */
static pml_status check_plot(const forecast_options *o, const char *model, const char *out, pml_error *error) {
    pml_status status = PML_OK;
    if (o->scaled) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--plot draws in the series' units: it goes without --scaled"));
    }
    if (out != NULL && strcmp(out, o->plot) == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--plot and --out both name %s", out));
    }
    if (!pml_program_is_there(&plot_program)) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "--plot needs the program %s, which is not installed beside this one",
                         plot_program.program));
    }
    PML_TRY(pml_cli_check_output("plot", o->plot, (const char *const[3]){o->csv, model, out}, 3, error));
done:
    return status;
}

/* The forecast goes to pml-plot as a file without a name. */
static pml_status draw(const forecast_options *o, const printed *p, pml_error *error) {
    pml_status status = PML_OK;
    FILE *stream = NULL;
    const int fd = memfd_create("forecast", MFD_CLOEXEC);
    if (fd < 0 || (stream = fdopen(fd, "w")) == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "--plot: %s", strerror(errno)));
    }
    PML_TRY(write_json(stream, p, error));
    const char *const arguments[] = {"/dev/stdin", "--csv", o->csv, "--out", o->plot, "--force", NULL};
    PML_TRY(pml_program_run(&plot_program, arguments, fd, error));
done:
    if (stream != NULL) {
        (void)fclose(stream);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const forecast_options *o = options;
    pml_status status = PML_OK;
    pml_loaded loaded = {0};
    pml_series *series = NULL;
    pml_series_forecast forecast = {0};
    pml_series_state state;
    double levels[MAX_LEVELS];
    size_t n_levels = 0;
    const char *out = o->out != NULL && strcmp(o->out, "-") != 0 ? o->out : NULL;
    (void)n_operands;
    if (o->csv == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "forecast needs --csv FILE"));
    }
    PML_TRY(o->quantiles != NULL ? read_levels(o->quantiles, levels, &n_levels, error) : PML_OK);
    if (out != NULL) {
        PML_TRY(pml_cli_check_output("out", out, (const char *const[2]){o->csv, operands[0]}, 2, error));
    }
    if (o->plot != NULL) {
        PML_TRY(check_plot(o, operands[0], out, error));
    }
    PML_TRY(pml_loaded_open(operands[0], &o->model, &loaded, error));
    PML_TRY(pml_series_state_get(pml_file_metadata(loaded.file), &state, error));
    const pml_series_request request = {state.columns, state.n_columns, o->no_dates};
    PML_TRY(pml_series_read(o->csv, &request, &series, error));
    const pml_series_forecast_options how = {.start_row = o->at.is_set ? o->at.value : series->n_rows,
                                             .scaled = o->scaled,
                                             .without_marks = o->no_dates,
                                             .levels = levels,
                                             .n_levels = n_levels};
    PML_TRY(pml_series_forecast_run(loaded.model, series, o->csv, &how, &forecast, error));
    const printed p = {series, &forecast, levels, n_levels};
    if (out != NULL) {
        PML_TRY(pml_publish_text(out, write_csv, &p, error));
    }
    if (o->common.json) {
        PML_TRY(write_json(stdout, &p, error));
    } else if (out != NULL) {
        (void)printf("%s\n", out);
    } else {
        write_csv(stdout, &p);
    }
    if (o->plot != NULL) {
        PML_TRY(draw(o, &p, error));
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
                "pml-run forecast model.pml --csv series.csv --at 8640 --quantiles 0.1,0.9",
    .options = option_table,
    .options_bytes = sizeof(forecast_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
