/* pml-plot: a forecast over its history, as a picture. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/json_writer.h"
#include "runtime/base/log.h"
#include "runtime/base/publish.h"
#include "runtime/base/quote.h"
#include "runtime/cli/command.h"
#include "runtime/plot/forecast_chart.h"
#include "runtime/plot/picture.h"

enum { LEAST_PIXELS = 100, MOST_PIXELS = 10000, DEFAULT_WIDTH = 1000, DEFAULT_PANELS = 12 };

typedef struct plot_options {
    pml_common_options common;
    const char *csv, *out, *columns, *title;
    pml_option_u64 history, width, height;
    bool force;
} plot_options;

static const pml_option option_table[] = {
    {"csv", 0, PML_OPTION_TEXT, "FILE", NULL, "the history: the CSV that was forecast (required)",
     offsetof(plot_options, csv)},
    {"out", 'o', PML_OPTION_TEXT, "FILE", NULL, "the picture: .png, .svg or .pdf (required)",
     offsetof(plot_options, out)},
    {"columns", 0, PML_OPTION_TEXT, "A,B", NULL, "draw these, in this order (default: the first 12)",
     offsetof(plot_options, columns)},
    {"history", 0, PML_OPTION_U64, "N", NULL, "rows before the forecast (default: three times its own)",
     offsetof(plot_options, history)},
    {"title", 0, PML_OPTION_TEXT, "TEXT", NULL, "a line above everything", offsetof(plot_options, title)},
    {"width", 0, PML_OPTION_U64, "N", NULL, "pixels (default: 1000)", offsetof(plot_options, width)},
    {"height", 0, PML_OPTION_U64, "N", NULL, "pixels (default: by the number of columns)",
     offsetof(plot_options, height)},
    {"force", 'f', PML_OPTION_FLAG, NULL, NULL, "replace an existing picture", offsetof(plot_options, force)},
    {NULL, 0, PML_OPTION_FLAG, NULL, NULL, NULL, 0}};

static pml_status check_size(const char *option, pml_option_u64 given, pml_error *error) {
    if (given.is_set && (given.value < LEAST_PIXELS || given.value > MOST_PIXELS)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--%s is %d to %d pixels, not %llu", option, LEAST_PIXELS, MOST_PIXELS,
                        (unsigned long long)given.value);
    }
    return PML_OK;
}

static pml_status check(const plot_options *o, const char *forecast, pml_error *error) {
    pml_status status = PML_OK;
    if (o->csv == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "plot needs --csv FILE, the history"));
    }
    if (o->out == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "plot needs -o FILE, the picture"));
    }
    PML_TRY(check_size("width", o->width, error));
    PML_TRY(check_size("height", o->height, error));
    PML_TRY(pml_picture_check(o->out, error));
    PML_TRY(pml_cli_check_output("out", o->out, (const char *const[2]){o->csv, forecast}, 2, error));
    status = pml_publish_check(o->out, o->force, error);
    if (status == PML_E_ARGUMENT && !o->force) {
        status = PML_FAIL(error, PML_E_ARGUMENT, "--out %s exists; --force replaces it", o->out);
    }
done:
    return status;
}

typedef struct choice { /* which columns are drawn */
    size_t n;
    size_t at[PML_MAX_PANELS];         /* in the forecast */
    const char *names[PML_MAX_PANELS]; /* the forecast's */
} choice;

static pml_status choose(choice *c, const pml_series *forecast, const char *name, size_t length, pml_error *error) {
    pml_quoted quoted;
    char cut[128];
    for (size_t j = 0; j < forecast->n_columns; j++) {
        if (strlen(forecast->columns[j]) == length && memcmp(forecast->columns[j], name, length) == 0) {
            if (c->n == PML_MAX_PANELS) {
                return PML_FAIL(error, PML_E_ARGUMENT, "a plot has at most %u columns", PML_MAX_PANELS);
            }
            c->at[c->n] = j;
            c->names[c->n++] = forecast->columns[j];
            return PML_OK;
        }
    }
    (void)snprintf(cut, sizeof cut, "%.*s", (int)(length < 120 ? length : 120), name);
    return PML_FAIL(error, PML_E_CONFIG, "the forecast has no column %s", pml_quote(&quoted, cut));
}

static pml_status choose_columns(choice *c, const pml_series *forecast, const char *list, pml_error *error) {
    pml_status status = PML_OK;
    if (list == NULL) {
        for (size_t j = 0; j < forecast->n_columns && j < DEFAULT_PANELS; j++) {
            PML_TRY(choose(c, forecast, forecast->columns[j], strlen(forecast->columns[j]), error));
        }
        if (forecast->n_columns > DEFAULT_PANELS) {
            pml_log(PML_LOG_WARNING, "%d of %zu columns are drawn; --columns chooses others", DEFAULT_PANELS,
                    forecast->n_columns);
        }
        goto done;
    }
    for (const char *at = list;; at++) {
        const size_t length = strcspn(at, ",");
        PML_TRY(choose(c, forecast, at, length, error));
        at += length;
        if (*at == '\0') {
            break;
        }
    }
done:
    return status;
}

static pml_status print_json(const choice *c, const pml_drawing *drawing, const char *path, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "picture", path);
    pml_json_u64(&w, "width", drawing->width);
    pml_json_u64(&w, "height", drawing->height);
    pml_json_begin_array(&w, "columns");
    for (size_t i = 0; i < c->n; i++) {
        pml_json_string(&w, NULL, c->names[i]);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const plot_options *o = options;
    pml_status status = PML_OK;
    pml_forecast_file forecast = {0};
    pml_series *history = NULL;
    pml_drawing drawing = {0};
    choice chosen = {0};
    (void)n_operands;
    PML_TRY(check(o, operands[0], error));
    PML_TRY(pml_forecast_file_read(operands[0], &forecast, error));
    PML_TRY(choose_columns(&chosen, forecast.series, o->columns, error));
    const pml_series_request request = {chosen.names, chosen.n, forecast.series->stamps_us == NULL};
    PML_TRY(pml_series_read(o->csv, &request, &history, error));
    const unsigned height = chosen.n < 3 ? 120 + 260 * (unsigned)chosen.n : 100 + 150 * (unsigned)chosen.n;
    const pml_forecast_chart chart = {.history = history,
                                      .history_name = o->csv,
                                      .forecast = &forecast,
                                      .columns = chosen.at,
                                      .n_before =
                                          o->history.is_set ? o->history.value : 3 * (uint64_t)forecast.series->n_rows,
                                      .width = o->width.is_set ? (unsigned)o->width.value : DEFAULT_WIDTH,
                                      .height = o->height.is_set ? (unsigned)o->height.value : height,
                                      .title = o->title};
    PML_TRY(pml_forecast_chart_draw(&chart, &drawing, error));
    PML_TRY(pml_picture_write(&drawing, o->out, o->force, error));
    if (o->common.json) {
        PML_TRY(print_json(&chosen, &drawing, o->out, error));
    } else {
        (void)printf("%s\n", o->out);
    }
done:
    pml_drawing_deinit(&drawing);
    pml_series_destroy(history);
    pml_forecast_file_deinit(&forecast);
    return status;
}

const pml_command pml_cmd_plot = {
    .name = "plot",
    .operands = "FORECAST",
    .summary = "Draw a forecast, as pml-run forecast writes it, over its history",
    .examples = "pml-run forecast model.pml --csv series.csv -o next.csv\n"
                "pml-run plot next.csv --csv series.csv -o next.png\n"
                "pml-run plot next.csv --csv series.csv -o next.svg --columns OT,HUFL",
    .options = option_table,
    .options_bytes = sizeof(plot_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
